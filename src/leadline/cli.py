"""The command line: few verbs, each parses, calls one function and prints. Knows no other work.

With `--json` standard output is one document and nothing else; progress and notes go to standard error.
Exit codes: 0 done; 1 done, but what was asked does not hold or some samples could not be asked; 2 the
user's mistake.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from leadline import __version__, catalog
from leadline.nouns import NOT_ASKED, UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leadline.nouns import Prompt, Record
    from leadline.runs.plan import Plan
    from leadline.scoring.summary import Summary

app = typer.Typer(
    name="leadline",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="How far does a language model really read? Measure it, compare methods, train it to read further.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, nothing else there.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of items and layouts.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Where to write.")]

DEFAULT_TASKS = "needle,kv-retrieval,variable-tracking,passage-retrieval,single-doc-qa,multi-doc-qa"


def main() -> NoReturn:
    """Entry point: runs a verb; users' mistakes end with one line and exit code 2."""
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except UserError as error:
        _fail(str(error))
    except typer.Exit as leave:
        sys.exit(leave.exit_code)
    except typer.Abort:
        _fail("stopped", 130)
    except KeyboardInterrupt:
        _fail("stopped; what was finished is kept, the same command goes on from there", 130)
    except Exception as error:
        # The parser's own exceptions (typer carries its own copy of click's) know their message.
        if hasattr(error, "format_message"):
            _fail(error.format_message())  # pyright: ignore[reportAttributeAccessIssue]
        raise


def _fail(message: str, code: int = 2) -> NoReturn:
    print(f"leadline: {message}", file=sys.stderr)
    sys.exit(code)


def _print(document: Any) -> None:
    print(json.dumps(document, ensure_ascii=False))


@app.callback(invoke_without_command=True)
def _top(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(__version__)
        raise typer.Exit


@app.command("list")
def list_(
    room: Annotated[str | None, typer.Option(help=f"Only one room: {', '.join(catalog.ROOMS)}.")] = None,
    as_json: Json = False,
) -> None:
    """What there is: tasks, methods, pipelines and recipes."""
    rows = [_row(e) for r in ([room] if room else catalog.ROOMS) for e in catalog.entries(r).values()]
    if as_json:
        return _print(rows)
    width = max((len(r["id"]) for r in rows), default=0)
    for row in rows:
        print(f"{row['room']:9} {row['id']:{width}}  {row['title']}")


def _row(entry: catalog.Entry) -> dict[str, Any]:
    import ast

    doc = ast.get_docstring(ast.parse(entry.path.read_text(encoding="utf-8"))) or ""
    paper = re.search(r"arXiv:(\d{4}\.\d{4,5})", doc)
    return {
        "id": entry.id,
        "room": entry.room,
        "title": entry.title,
        "paper": f"arXiv:{paper[1]}" if paper else None,
        "holds": None,
        "figure": None,
        "date": None,
        "hardware": None,
    }


@app.command()
def show(what: Annotated[str, typer.Argument(metavar="ID|RUN#PROMPT", help="A task, method ..., or a prompt of a run.")]) -> None:
    """What one thing is and which settings it has; or a prompt of a run, whole."""
    if "#" in what:
        from leadline.runs.prompts import whole

        folder, _, prompt = what.partition("#")
        print(whole(Path(folder), prompt))
        return
    import ast

    rooms = [r for r in catalog.ROOMS if what in catalog.entries(r)] or (["tasks"] if what.endswith(".py") else [])
    if not rooms:
        raise UserError(f"unknown name {what!r}; {catalog.nearest(what, [n for r in catalog.ROOMS for n in catalog.entries(r)])}")
    entry = catalog.find(what, rooms[0])
    print(ast.get_docstring(ast.parse(entry.path.read_text(encoding="utf-8"))))
    if entry.members:
        print("\nMembers: " + ", ".join(entry.members))
        return
    cls = catalog.load(what, rooms[0])
    print("\nSettings:")
    for f in dataclasses.fields(cls):
        print(f"  {f.name}={f.default!r} ({f.type})")
    if rooms[0] == "tasks":
        kind = " grows with the length" if cls.grows else ""  # pyright: ignore[reportAttributeAccessIssue]
        print(
            f"\nAbility {cls.ability}, diffusion {cls.diffusion}, scope {cls.scope}, chance level {cls.chance}, "  # pyright: ignore[reportAttributeAccessIssue]
            f"from {cls.minimum} tokens on.{' Its evidence' + kind + '.' if kind else ''}"  # pyright: ignore[reportAttributeAccessIssue]
        )
        print(
            f"\n`leadline score {what}` reads JSON lines with prediction and answers (as `leadline build {what}` gives them); "
            "id joins a prediction to its built item."
        )


@app.command()
def build(
    task: Annotated[str, typer.Argument(help="Task or suite with settings, as in needle(needles=4).")],
    length: Annotated[str, typer.Option(help="Length of the prompts in tokens: 512, 4k, 1m.")],
    model: Annotated[str | None, typer.Option(help="Model whose tokenizer and template are used: minnow, local/...")] = None,
    tokenizer: Annotated[str | None, typer.Option(help="Tokenizer instead: a folder, a tokenizer.json, a hub id.")] = None,
    n: Annotated[int, typer.Option("-n", help="Prompts of each task.")] = 10,
    seed: Seed = 0,
    noise: Annotated[str | None, typer.Option(help="Text to hide things in: file(path=...), folder(path=...), hub(name=...).")] = None,
    depth: Annotated[float | None, typer.Option(help="Where the evidence lies, 0 (start) to 1 (end); drawn if left out.")] = None,
    shared: Annotated[int, typer.Option(help="Questions over one haystack.")] = 1,
    harness: Annotated[bool, typer.Option(help="Write a folder that lm-evaluation-harness runs, to --out.")] = False,
    out: Out = None,
) -> None:
    """Build a task's prompts as JSON lines."""
    from leadline.data.haystack import Builder, Layout
    from leadline.data.tokens import load_tokenizer
    from leadline.runs.plan import parse_length, tokenizer_for
    from leadline.runs.prompts import build_all

    if (model is None) == (tokenizer is None):
        raise UserError("give one of --model (minnow, local/...) and --tokenizer (folder, tokenizer.json or hub id)")
    if depth is not None and not 0 <= depth <= 1:
        raise UserError(f"--depth must be from 0 to 1, got {depth}")
    builder = Builder(load_tokenizer(tokenizer or tokenizer_for(str(model))), noise=noise, seed=seed)
    specs = catalog.expand(catalog.parse(task), "tasks")
    prompts = [
        p
        for spec in specs
        for p in build_all(builder, catalog.make(spec, "tasks"), n, parse_length(length), seed, Layout(depth=depth), shared)
    ]
    if harness:
        from leadline.runs.harness import export

        if out is None:
            raise UserError("--harness writes a folder: say which with --out DIR")
        export(prompts, out)
        print(f"wrote {len(prompts)} prompts to {out}; run: lm_eval --include_path {out} --tasks {_harness_name(prompts)}", file=sys.stderr)
        return
    lines = "".join(json.dumps(_built(p), ensure_ascii=False) + "\n" for p in prompts)
    if out is None:
        sys.stdout.write(lines)
    else:
        _write(out, lines)
        print(f"wrote {len(prompts)} prompts to {out}", file=sys.stderr)


def _harness_name(prompts: Sequence[Prompt]) -> str:
    return ",".join(sorted({"leadline_" + re.sub(r"\W+", "_", p.task).strip("_") for p in prompts}))


def _built(p: Prompt) -> dict[str, Any]:
    return {
        "id": p.id,
        "task": p.task,
        "length": p.length,
        "tokens": p.tokens,
        "messages": [dict(m) for m in p.messages],
        "prefill": p.prefill,
        "answers": list(p.answers),
        "evidence": [list(span) for span in p.evidence],
        "depths": [round(d, 4) for d in p.depths],
        "sha": p.sha,
    }


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file")
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise UserError(f"cannot write {path}: {error.strerror or error}; nothing was written") from None


if __name__ == "__main__":
    main()
