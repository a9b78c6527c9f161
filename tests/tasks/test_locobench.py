"""LoCoBench: what is right, found again in the prompt the slow way; files that are read; code that is judged without running it."""

import dataclasses
import json
import re

import pytest

from leadline import catalog
from leadline.data.haystack import Builder
from leadline.nouns import Answer, UserError
from leadline.tasks import _repositories as repositories
from leadline.tasks import _scenarios as scenarios
from leadline.tasks._repositories import Repository
from leadline.tasks._scenarios import CATEGORIES

from .fixtures.locobench import specs


def make(spec):
    return catalog.make(spec, "tasks")


def asked(category, tokenizer, n=4, data=""):
    """Items of a category with their prompts, and the files that stand in each, by path."""
    task = make(f"locobench(category={category}{f', data={data!r}, longest=6000' if data else ''})")
    for item in task.items(n, seed=3):
        prompt = Builder(tokenizer).build(item, task.minimum + 2000, compose=task.compose)
        context = prompt.messages[-1]["content"].removesuffix(prompt.question)
        parts = re.split(r"(?m)^=== (.+) ===\n", context)[1:]
        files = dict(zip(parts[::2], parts[1::2], strict=True))
        assert len(files) == len(parts) // 2, "no path twice"
        yield task, dataclasses.replace(item, meta=prompt.meta), prompt, files


def dotted(path):
    return ".".join(path.removesuffix(".py").split("/")[1:])


def slow(category, question, files):
    """The answer by looking at the text of the files that are shown, and nothing else."""
    path = (re.findall(r"(?:file|of|for) (\S+?\.py)", question) or [""])[0]
    name = (re.findall(r"function (\w+) of", question) or [""])[0]
    if category == "architectural-understanding":
        return {p for p, text in files.items() if re.search(rf"(?m)^from {re.escape(dotted(path))} import", text)}
    if category == "cross-file-refactoring":
        return {p for p, text in files.items() if re.search(rf"\b{name}\b", text)}
    if category == "bug-investigation":
        wrong = set()
        for p, text in files.items():
            for module, what in re.findall(r"(?m)^from (\S+) import (\w+)", text):
                there = next((t for q, t in files.items() if q.endswith(".py") and dotted(q) == module), None)
                if there is not None and f"def {what}(" not in there:
                    wrong.add(p)
        return wrong
    if category == "multi-session-development":
        place = path
        for number in (1, 2, 3):
            for line in files[f"docs/session_{number}.md"].split("\n"):
                if m := re.fullmatch(rf"- {name}(?: of \S+)? is called (\w+) now\.", line):
                    name = m[1]
                elif m := re.fullmatch(rf"- {name} was moved to (\S+)\.", line):
                    place = m[1]
        return {name, place}
    if category == "code-comprehension":
        found = set()
        for text in files.values():
            for part in re.split(r"(?m)^def ", text)[1:]:
                if re.search(rf"\b{name}\(", part.partition("\n")[2]):
                    found.add(part.partition("(")[0])
        return found
    if category == "integration-testing":
        return {w for text in files.values() for m, w in re.findall(r"(?m)^from (\S+) import (\w+)", text) if m == dotted(path)}
    marks = ("os.system(", "eval(", "password =", "verify_certificates")
    found = set()
    for p, text in files.items():
        for part in re.split(r"(?m)^def ", text)[1:]:
            if any(mark in part for mark in marks):
                found |= {p, part.partition("(")[0]}
    return found


@pytest.mark.parametrize("category", [c for c in CATEGORIES if c != "feature-implementation"])
def test_answers_follow_from_what_is_shown(tokenizer, category):
    for _, item, prompt, files in asked(category, tokenizer):
        assert slow(category, item.question, files) == set(prompt.answers), item.question


def test_a_new_file_is_judged_by_its_tree(tokenizer):
    for task, item, prompt, files in asked("feature-implementation", tokenizer):
        code = item.meta["code"]
        for need in code["needs"]:
            head = re.search(rf"(?m)^def {need['name']}\((.*?)\):", files[need["path"]])[1]
            assert need["required"] == need["most"] == len(head.split(", ")) if head else 0

        def reply(text, code=code):
            return Answer(text=f"```json\n{json.dumps({'files': {code['path']: text}})}\n```")

        gold = code["gold"]
        first, second = code["needs"]
        assert task.score(prompt.answers, item, reply(gold)).value == 1
        assert set(task.score(prompt.answers, item, reply(gold)).parts) == {"lcbs", "se", "fc", "cq", "lcu"}
        assert task.score(prompt.answers, item, reply(gold.replace("def run_both", "def run"))).value == 0
        assert task.score(prompt.answers, item, reply("def run_both(:")).value == 0
        elsewhere = gold.replace(f"import {first['name']}", f"import {second['name']}", 1)
        assert task.score(prompt.answers, item, reply(elsewhere)).value == pytest.approx(3 / 5)
        short = re.sub(rf"{first['name']}\(.*?\)", f"{first['name']}({', '.join('1' * (first['most'] + 1))})", gold)
        assert task.score(prompt.answers, item, reply(short)).value == pytest.approx(4 / 5)
        assert task.score(prompt.answers, item, Answer(text="I cannot.")).audit == "format not found"


@pytest.mark.parametrize(
    ("line", "ok"),
    [
        ("from pack.tool import go", True),
        ("from src.pack.tool import go", True),
        ("from .tool import go", True),
        ("from ..pack.tool import go", True),
        ("from pack.tool import go as went", True),
        ("from tool import go", False),
        ("from other.tool import go", False),
        ("from pack import tool", False),
    ],
)
def test_ways_to_import(line, ok):
    code = {
        "path": "src/pack/new.py",
        "function": "f",
        "needs": [{"path": "src/pack/tool.py", "name": "go", "required": 0, "most": 1}],
    }
    called = "went" if "went" in line else "go"
    assert scenarios.requirements_met({"src/pack/new.py": f"{line}\n\ndef f():\n    return {called}()\n"}, code) == (
        1 if ok else 1 / 3
    )


@pytest.mark.parametrize(
    ("reply", "value", "precision", "recall"),
    [
        ('```json\n{"answer": ["src/a.py", "src/b.py"]}\n```', 1, 1, 1),
        ('{"answer": ["./src/a.py", "`src/b.py`"]}', 1, 1, 1),
        ('["src/a.py"]', 2 / 3, 1, 0.5),
        ('```json\n{"answer": ["src/a.py", "src/c.py", "src/d.py", "src/b.py"]}\n```', 2 / 3, 0.5, 1),
        ('```json\n{"answer": "src/a.py"}\n```', 2 / 3, 1, 0.5),
        ('```json\n{"answer": []}\n```', 0, 0, 0),
    ],
)
def test_lists(reply, value, precision, recall):
    task = make("locobench")
    item = task.items(1)[0]
    score = task.score(["src/a.py", "src/b.py"], item, Answer(text=reply))
    assert score.value == pytest.approx(value)
    assert dict(score.parts) == {"precision": precision, "recall": recall}
    names = task.score(["load_it", "src/a.py"], item, Answer(text='{"answer": ["pack.load_it()", "src/a.py"]}'))
    assert names.value == 1


REAL = {
    "src/shop/__init__.py": "from shop.tools import weigh\n",
    "src/shop/tools.py": "def weigh(item, unit='kg', *, exact=False):\n    return item\n\n\ndef cut(item):\n    return item\n",
    "src/shop/desk.py": "from .tools import weigh\n\n\nclass Desk:\n    def serve(self):\n        return weigh(1)\n\n\nprint(weigh(2))\n",
    "src/shop/back/room.py": "import shop.tools as t\nfrom ..desk import Desk\nfrom shop import desk\n\n\ndef look():\n    return t.cut(1)\n",
    "src/shop/broken.py": "def (:\n",
}


def test_a_repository_is_read_as_python_does():
    r = Repository(REAL)
    assert "src/shop/broken.py" not in r.modules
    assert r.modules["src/shop/desk.py"].imports == (("src/shop/tools.py", "weigh"),)
    assert set(r.modules["src/shop/back/room.py"].imports) == {
        ("src/shop/tools.py", ""),
        ("src/shop/desk.py", "Desk"),
        ("src/shop/desk.py", ""),
    }
    weigh, cut = r.modules["src/shop/tools.py"].functions
    assert (weigh.required, weigh.most, cut.required, cut.most) == (1, 2, 1, 1)
    assert r.modules["src/shop/desk.py"].calls == {"serve": {"weigh"}, "": {"weigh", "print"}}
    assert r.importers["src/shop/tools.py"] == {"src/shop/__init__.py", "src/shop/desk.py", "src/shop/back/room.py"}
    assert [(f.name, users) for f, users in r.shared] == [("weigh", ("src/shop/__init__.py", "src/shop/desk.py"))]
    assert not r.unsound()
    spoilt = Repository(REAL | {"src/shop/till.py": "from shop.tools import weight\n"})
    assert spoilt.unsound() == {"src/shop/till.py"}


def test_on_the_users_own_repository(tokenizer, tmp_path):
    """Of an own repository every category is asked, about its own files, and its folders that are hidden are not read."""
    folder = specs(tmp_path)[-1].split("'")[1]
    hidden = tmp_path / "repository" / ".venv" / "x.py"
    hidden.parent.mkdir()
    hidden.write_text("x = 1\n")
    there = set(repositories.read(folder).files)
    assert there
    assert not any(".venv" in p for p in there)
    for category in CATEGORIES:
        for _, _, prompt, files in asked(category, tokenizer, n=1, data=folder):
            assert any(p in there for p in files)
            assert all(p in there or p.startswith(("docs/", "vendor/")) for p in files)
            if category not in ("feature-implementation", "code-comprehension", "multi-session-development"):
                assert slow(category, prompt.question, files) == set(prompt.answers)


def test_errors(tmp_path):
    with pytest.raises(UserError, match="no folder"):
        make("locobench(data=nowhere)").items(1)
    with pytest.raises(UserError, match="no Python files"):
        make(f"locobench(data='{tmp_path}')").items(1)
    (tmp_path / "a.py").write_text("x = 1\n")
    with pytest.raises(UserError, match="gives no scenario of architectural-understanding"):
        make(f"locobench(data='{tmp_path}')").items(1)
    with pytest.raises(UserError, match="bug-investigation"):
        make("locobench(category=bugs)")
