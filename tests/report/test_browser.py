"""The page in a real browser: nothing asked of any address, no error, no script of others run, and the reader works."""

import html
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from leadline.report.page import write
from leadline.scoring.summary import summarise

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--enable-logging=stderr", "--v=0", "--host-resolver-rules=MAP * ~NOTFOUND",
    "--virtual-time-budget=3000",
)  # fmt: skip
USE = """<script>
  const say = (name, value) => { document.documentElement.dataset[name] = value; };
  const id = (name) => document.getElementById(name);
  const choose = (name, value) => { id(name).value = value; id(name).dispatchEvent(new Event("change")); };
  choose("f-verdict", "wrong");
  say("wrong", id("count").textContent);
  choose("f-length", "128");
  id("f-search").value = "MARLOW"; id("f-search").dispatchEvent(new Event("input"));
  say("search", id("count").textContent);
  id("f-search").value = "no such text"; id("f-search").dispatchEvent(new Event("input"));
  say("none", id("list").textContent);
  id("f-search").value = ""; choose("f-length", ""); choose("f-verdict", "");
  const first = id("list").querySelector("button");
  first.focus();
  first.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowDown", bubbles: true}));
  say("second", String(document.activeElement === first.parentElement.nextElementSibling.firstElementChild));
  say("marked", id("sample").querySelector("mark").textContent);
</script></body>"""


@dataclass
class Visit:
    """What a browser made of a page."""

    dom: str
    console: list[str]
    asked: list[str]

    def data(self, name: str) -> str | None:
        found = re.search(rf'<html[^>]*\bdata-{name}="([^"]*)"', self.dom)
        return found and html.unescape(found[1])


@pytest.fixture(scope="module")
def visit(tmp_path_factory):
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"no browser here: none of {', '.join(BROWSERS)}")

    def go(page: Path) -> Visit:
        folder = tmp_path_factory.mktemp("browser")
        log = folder / "net.json"
        done = subprocess.run(
            [browser, *FLAGS, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}", "--dump-dom", page.as_uri()],
            capture_output=True, text=True, timeout=120, env={**os.environ, "HOME": str(folder)},
        )  # fmt: skip
        console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        # A line an event; a browser asks its maker for the time and for updates, which no page has begun.
        starts = [
            line
            for line in log.read_text(errors="replace").splitlines()
            if '"initiator":' in line and "not an origin" not in line
        ]
        asked = {url for line in starts for url in re.findall(r'"url":"((?:https?|wss?|ftp)://[^"]*)"', line)}
        assert done.stdout, done.stderr[-2000:]
        return Visit(done.stdout, console, sorted(asked))

    return go


@pytest.fixture(scope="module")
def written(records, tmp_path_factory) -> Path:
    rows = records(methods=["", "kivi(bits=2)"], samples=12)
    return write(rows, summarise(rows), {"run": "runs/demo"}, tmp_path_factory.mktemp("page"))


def test_the_page_is_quiet_and_keeps_text_as_text(visit, written) -> None:
    seen = visit(written)
    assert seen.data("ready") == str(2 * 6 * 6 * 12)
    assert seen.console == []
    assert seen.asked == []
    assert seen.data("hacked") is None
    # The hostile answer is there to read, in the reader's own element.
    assert "&lt;img src=x onerror=" in seen.dom.split('id="sample"')[1].split("</section>")[0]
    assert "<b>really</b>" not in seen.dom


def test_the_reader_filters_searches_and_follows_the_keys(visit, written) -> None:
    copy = written.with_name("used.html")
    copy.write_text(written.read_text(encoding="utf-8").replace("</body>", USE), encoding="utf-8")
    seen = visit(copy)
    assert seen.console == []
    data = json.loads(re.search(r'id="samples">(.*?)</script>', written.read_text(encoding="utf-8"), re.S)[1])
    samples = [dict(zip(data["fields"], row, strict=True)) for row in data["rows"]]
    wrong = [s for s in samples if s["score"] == 0]
    assert seen.data("wrong") == f"{len(wrong)} of {len(samples)} samples, 0 right"
    named = [s for s in wrong if s["length"] == 128 and "Marlow" in data["strings"][s["question"]]]
    assert seen.data("search") == f"{len(named)} of {len(samples)} samples, 0 right"
    assert seen.data("none") == "No sample fits these filters."
    assert seen.data("second") == "true"
    assert re.fullmatch(r"\w+ keeps the lighthouse number \d{4}\.", seen.data("marked") or "")


def test_the_test_itself_sees_what_it_looks_for(visit, tmp_path, hostile) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text(f"<!doctype html><img src='http://elsewhere.test/x.png'><script>undefined.x</script><p>{hostile}</p>")
    seen = visit(bad)
    assert seen.data("hacked") == "1"
    assert any("TypeError" in line for line in seen.console)
    assert seen.asked == ["http://elsewhere.test/x.png"]
