"""The command line: few verbs, each parses, calls one function and prints. Knows no other work.

With `--json` standard output is one document and nothing else; progress and notes go to standard error.
Exit codes: 0 done; 1 done, but what was asked does not hold or some samples could not be asked; 2 the
user's mistake.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import logging
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
    # On a full disk Inspect's trace log fails too, and would say so at every line and once more at the end.
    logging.raiseExceptions = False
    sys.unraisablehook = _unraisable
    for stream in (sys.stdout, sys.stderr):
        # A terminal or pipe that lacks a sign gets a question mark instead of an error.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # pyright: ignore[reportAttributeAccessIssue]
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


def _unraisable(what: Any) -> None:
    """Say nothing more of a full disk; everything else as ever."""
    if getattr(what.exc_value, "errno", None) not in {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}:
        sys.__unraisablehook__(what)


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
    """What there is: tasks, methods, pipelines, recipes and metrics."""
    rows = [_row(e) for r in ([room] if room else catalog.ROOMS) for e in catalog.entries(r).values()]
    if room == "scoring":
        from leadline.scoring.metrics import metrics

        # Metrics are many; they are named where they are asked for.
        nothing = dict.fromkeys(("paper", "holds", "figure", "date", "hardware"))
        rows += [{"id": name, "room": room, "title": title, **nothing} for name, title in metrics().items()]
    if as_json:
        return _print(rows)
    width = max((len(r["id"]) for r in rows), default=0)
    marks = {True: "✓", False: "✗", None: " "}
    for row in rows:
        print(f"{row['room']:9} {marks[row['holds']]} {row['id']:{width}}  {row['title']}")
    if any(row["holds"] is not None for row in rows):
        print("\n✓ its check held, ✗ it did not (`leadline show ID` has the figures); nothing: not verified with this code")


def _row(entry: catalog.Entry) -> dict[str, Any]:
    from leadline.runs.verify import fields

    paper = re.search(r"arXiv:? ?(\d{4}\.\d{4,5})", entry.path.read_text(encoding="utf-8"))
    named = {"id": entry.id, "room": entry.room, "title": entry.title, "paper": f"arXiv:{paper[1]}" if paper else None}
    return named | fields(entry)


@app.command()
def verify(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID...]", help="Plugins; all that bring a check, if left out.")
    ] = None,
    gpu: Annotated[bool, typer.Option("--gpu", help="On a GPU, for those that need one.")] = False,
    as_json: Json = False,
) -> None:
    """Run plugins' own checks of what their papers claim, each with a sabotaged control."""
    from leadline.runs.verify import verify as run

    results = run(ids or (), gpu, lambda text: print(text, file=sys.stderr, flush=True))
    if as_json:
        _print([dataclasses.asdict(r) for r in results])
    else:
        held = {
            name: sum(r.holds is value for r in results)
            for name, value in (("hold", True), ("do not", False), ("not shown here", None))
        }
        print(", ".join(f"{count} {name}" for name, count in held.items()))
    if any(r.holds is False for r in results):
        raise typer.Exit(1)


@app.command()
def show(
    what: Annotated[str, typer.Argument(metavar="ID|RUN#PROMPT", help="A task, method ..., or a prompt of a run.")],
) -> None:
    """What one thing is and which settings it has; or a prompt of a run, whole."""
    if "#" in what:
        from leadline.runs.prompts import whole

        folder, _, prompt = what.partition("#")
        print(whole(Path(folder), prompt))
        return
    import ast
    import inspect

    rooms = [r for r in catalog.ROOMS if what in catalog.entries(r)] or (["tasks"] if what.endswith(".py") else [])
    if not rooms:
        raise UserError(
            f"unknown name {what!r}; {catalog.nearest(what, [n for r in catalog.ROOMS for n in catalog.entries(r)])}"
        )
    for entry in (catalog.find(what, room) for room in rooms):
        print(ast.get_docstring(ast.parse(entry.path.read_text(encoding="utf-8"))))
        _verified(entry)
    entry = catalog.find(what, rooms[0])
    if entry.members:
        print("\nMembers: " + ", ".join(entry.members))
        return
    if rooms[0] in catalog.NAMED:
        return
    cls = catalog.load(what, rooms[0])
    words = _described(cls)
    if rooms[0] == "methods":
        print("\n" + inspect.cleandoc(cls.__doc__ or "").partition("\n\n")[2])
    print("\nSettings:")
    for f in dataclasses.fields(cls):
        print(f"  {f.name}={f.default!r}  {words.get(f.name, '')}".rstrip())
    if rooms[0] == "tasks":
        made = catalog.make(what, "tasks")
        grows = " Its evidence grows with the length." if made.grows else ""
        facts = {name: getattr(made, name) for name in ("ability", "diffusion", "scope", "chance", "minimum")}
        told = ", ".join(f"{name} {value}" for name, value in facts.items())
        print(f"\n{told} tokens.{grows}")
        print(
            f"\n`leadline score {what}` reads JSON lines with prediction and answers, "
            f"and prefill and meta as `leadline build {what}` gives them."
        )


def _verified(entry: catalog.Entry) -> None:
    """Print what a system's check found last, where that still holds of this code."""
    from leadline.runs.verify import known

    if result := known().get((entry.room, entry.id)):
        told = {True: "holds", False: "does not hold", None: "not shown"}[result.holds]
        print(f"\nVerified: {told} ({result.date[:10]}, {result.hardware}): {result.figure}. Control: {result.control}.")


def _described(cls: type) -> dict[str, str]:
    """What a class and its bases say of each setting: under `Attributes:`, or in a docstring below the field."""
    import ast
    import inspect
    import textwrap

    found: dict[str, str] = {}
    for base in reversed(cls.__mro__[:-1]):
        section = inspect.cleandoc(base.__doc__ or "").partition("Attributes:")[2]
        for name, text in re.findall(r"^    (\w+): (.+(?:\n        .+)*)", section, re.M):
            found[name] = " ".join(text.split())
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0].body  # type: ignore[attr-defined]
        for field, below in zip(body, body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                found[field.target.id] = " ".join(str(below.value.value).split())  # type: ignore[union-attr]
    return found


@app.command()
def build(
    task: Annotated[str, typer.Argument(help="Task or suite with settings, as in needle(needles=4).")],
    length: Annotated[str, typer.Option(help="Length of the prompts in tokens: 512, 4k, 1m.")],
    model: Annotated[str | None, typer.Option(help="Model whose tokenizer and template are used: minnow, local/...")] = None,
    tokenizer: Annotated[str | None, typer.Option(help="Tokenizer instead: a folder, a tokenizer.json, a hub id.")] = None,
    n: Annotated[int, typer.Option("-n", help="Prompts of each task.")] = 10,
    seed: Seed = 0,
    noise: Annotated[
        str | None, typer.Option(help="Text to hide things in: file(path=...), folder(path=...), hub(name=...).")
    ] = None,
    depth: Annotated[
        float | None, typer.Option(help="Where the evidence lies, 0 (start) to 1 (end); drawn if left out.")
    ] = None,
    shared: Annotated[int, typer.Option(help="Questions over one haystack.")] = 1,
    harness: Annotated[bool, typer.Option(help="Write a folder that lm-evaluation-harness runs, to --out.")] = False,
    out: Out = None,
) -> None:
    """Build a task's prompts as JSON lines."""
    from leadline.data.haystack import Builder, Layout
    from leadline.data.tokens import load_tokenizer
    from leadline.runs.plan import parse_length, tokenizer_of
    from leadline.runs.prompts import build_all

    if (model is None) == (tokenizer is None):
        raise UserError("give one of --model (minnow, local/...) and --tokenizer (folder, tokenizer.json or hub id)")
    if depth is not None and not 0 <= depth <= 1:
        raise UserError(f"--depth must be from 0 to 1, got {depth}")
    builder = Builder(load_tokenizer(tokenizer) if tokenizer else tokenizer_of(str(model), ""), noise=noise, seed=seed)
    specs = catalog.expand(catalog.parse(task), "tasks")
    prompts = [
        p
        for spec in specs
        for p in build_all(builder, catalog.make(spec, "tasks"), n, parse_length(length), seed, Layout(depth=depth), shared)
    ]
    if harness:
        from leadline.runs.harness import export, task_name

        if out is None:
            raise UserError("--harness writes a folder: say which with --out DIR")
        export(prompts, out)
        names = ",".join(sorted({task_name(p.task) for p in prompts}))
        print(f"wrote {len(prompts)} prompts to {out}; run: lm_eval --include_path {out} --tasks {names}", file=sys.stderr)
        return
    lines = "".join(json.dumps(_built(p), ensure_ascii=False) + "\n" for p in prompts)
    if out is None:
        sys.stdout.write(lines)
    else:
        _write(out, lines)
        print(f"wrote {len(prompts)} prompts to {out}", file=sys.stderr)


def _built(p: Prompt) -> dict[str, Any]:
    return {
        "id": p.id,
        "task": p.task,
        "length": p.length,
        "tokens": p.tokens,
        "messages": [dict(m) for m in p.messages],
        "prefill": p.prefill,
        "answers": list(p.answers),
        "meta": dict(p.meta),
        "evidence": [list(span) for span in p.evidence],
        "depths": [round(d, 4) for d in p.depths],
        "sha": p.sha,
    }


@app.command()
def measure(
    model: Annotated[
        str, typer.Argument(help="minnow, local/<folder or hub id>, or an endpoint as Inspect names it; several with commas.")
    ],
    tasks: Annotated[str | None, typer.Option(help="Tasks or suites, as in needle,100-longbench.")] = None,
    lengths: Annotated[str | None, typer.Option(help="Long lengths in tokens, as in 4k,16k,64k.")] = None,
    base: Annotated[str | None, typer.Option(help="Short lengths whose mean score is the base.")] = None,
    samples: Annotated[int, typer.Option(help="Samples of each task at each length.")] = 50,
    method: Annotated[str, typer.Option(help="Method, as in yarn(factor=4) + snapkv(budget=1024).")] = "",
    pipeline: Annotated[str, typer.Option(help="Pipeline that asks the model in its own way.")] = "",
    search: Annotated[
        bool, typer.Option("--search", help="Look for the breakdown length between the shortest and the longest length.")
    ] = False,
    share: Annotated[
        float, typer.Option(help="The model breaks down where its score falls under this share of its base.")
    ] = 0.85,
    width: Annotated[
        float, typer.Option(help="The search ends when the interval's upper end is so many times its lower one.")
    ] = 2.0,
    seed: Seed = 0,
    tokenizer: Annotated[str, typer.Option(help="Tokenizer of an endpoint's model: a folder, a file, a hub id.")] = "",
    base_url: Annotated[str, typer.Option(help="Address of an endpoint.")] = "",
    noise: Annotated[
        str | None, typer.Option(help="Text to hide things in: file(path=...), folder(path=...), hub(name=...).")
    ] = None,
    prefill: Annotated[
        str, typer.Option(help="Begin the answer for the model: auto (completion models only), on, off.")
    ] = "auto",
    questions: Annotated[int, typer.Option(help="Questions over one haystack.")] = 1,
    depth: Annotated[float | None, typer.Option(help="Where the evidence lies, 0 to 1; drawn if left out.")] = None,
    prior: Annotated[bool, typer.Option("--prior", help="Ask each question without its context too.")] = False,
    thinking: Annotated[int, typer.Option(help="Room for thinking beside the length [tokens].")] = 0,
    temperature: Annotated[float, typer.Option(help="Sampling temperature.")] = 0.0,
    max_output: Annotated[int | None, typer.Option(help="Room for the answer instead of the task's own [tokens].")] = None,
    max_tokens_total: Annotated[int | None, typer.Option(help="Tokens the run may spend.")] = None,
    max_cost: Annotated[float | None, typer.Option(help="Dollars the run may spend; needs --prices.")] = None,
    prices: Annotated[str | None, typer.Option(help="Dollars for a million tokens in and out, as in 2.5,10.")] = None,
    max_connections: Annotated[int, typer.Option(help="Requests to an endpoint at a time.")] = 10,
    max_retries: Annotated[int, typer.Option(help="Tries again after a provider's fault.")] = 5,
    timeout: Annotated[int, typer.Option(help="Seconds for one request.")] = 600,
    role: Annotated[
        list[str] | None,
        typer.Option(help="A model that helps to score, as in judge=openai/gpt-5; may be given several times."),
    ] = None,
    dtype: Annotated[str, typer.Option(help="Number type of a local model.")] = "auto",
    device: Annotated[str | None, typer.Option(help="Device of a local model.")] = None,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run code that comes with a checkpoint.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would cost; ask nothing.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the run; one that holds a run goes on.")] = None,
    as_json: Json = False,
) -> None:
    """How far does a model read? Ask the same questions at every length."""
    _ask((method,), dict(locals()))


def _ask(methods: tuple[str, ...], told: dict[str, Any]) -> None:
    """Run what the options of `measure` or `compare` say."""
    from leadline.runs.plan import Plan, parse_lengths, parse_tasks

    models = tuple(m.strip() for m in told["model"].split(",") if m.strip())
    tasks, base, lengths = _usual(models)
    if told["prefill"] not in ("auto", "on", "off"):
        raise UserError(f"--prefill must be auto, on or off, got {told['prefill']!r}")
    plan = Plan(
        models=models,
        methods=methods,
        tasks=parse_tasks(told["tasks"] or tasks),
        lengths=parse_lengths(told["lengths"] or lengths),
        base=parse_lengths(told["base"] or base),
        prices=_prices(told["prices"]),
        roles=_roles(told["role"]),
        timeout_s=told["timeout"],
        **{f.name: told[f.name] for f in dataclasses.fields(Plan) if f.name in told and f.name not in _READ},
    )
    share, as_json = told["share"], told["as_json"]
    if not 0 < share < 1:
        raise UserError(f"--share must lie between 0 and 1, got {share}")
    if told["width"] <= 1:
        raise UserError(f"--width is upper end over lower end and must be over 1, got {told['width']}")
    folder = told["out"] or Path("runs") / _folder_name(plan)
    if told["dry_run"]:
        return _dry(plan, folder, as_json)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; --out names the folder of the run")
    watch = _Progress()
    with watch:
        if told["search"]:
            from leadline.runs.search import search as look

            records = look(plan, folder, watch, width=told["width"], share=share)
        else:
            from leadline.runs.execute import run

            records = run(plan, folder, watch)
    _finish(records, [folder], folder / "report.html", share, as_json, compared=len(methods) > 1)


_READ = {"models", "methods", "tasks", "lengths", "base", "prices", "roles"}
"""Fields of a plan whose options are read, not taken as they are."""


def compare(**told: Any) -> None:
    """What does each long-context method cost? Ask the same questions with each, and without any."""
    from leadline.catalog import parse_list

    methods = [" + ".join(map(str, parse_list(one, "+"))) for one in told["methods"].split(";") if one.strip()]
    if not methods:
        raise UserError('--methods is empty: write specs with semicolons between, as in "yarn(factor=4); snapkv(budget=1024)"')
    _ask(tuple(dict.fromkeys(["", *methods])), told)


def _as_measure(verb: Any) -> Any:
    """Give a verb the options of `measure`, with `--methods` in place of `--method`."""
    import inspect
    from typing import get_type_hints

    hints = get_type_hints(measure, include_extras=True) | {
        "method": Annotated[str, typer.Option(help='Methods with semicolons between: "yarn(factor=4); snapkv(budget=1024)".')]
    }
    options = [
        p.replace(annotation=hints[p.name], kind=p.KEYWORD_ONLY)
        if p.name != "method"
        else inspect.Parameter("methods", p.KEYWORD_ONLY, annotation=hints["method"])
        for p in inspect.signature(measure).parameters.values()
    ]
    verb.__signature__ = inspect.Signature(options)
    verb.__annotations__ = {p.name: p.annotation for p in options}
    return verb


app.command()(_as_measure(compare))


def _usual(models: Sequence[str]) -> tuple[str, str, str]:
    """Tasks, base lengths and long lengths where none were given: minnow's own scale, or that of today's models."""
    if set(models) == {"minnow"}:
        return "needle,kv-retrieval,kv-retrieval(haystack=records)", "256,512", "768,1k,1536,2k"
    return DEFAULT_TASKS, "1k,2k", "4k,8k,16k,32k"


def _prices(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        read, written = map(float, text.split(","))
    except ValueError:
        raise UserError(f"cannot read --prices {text!r}: write dollars for a million tokens in and out, as in 2.5,10") from None
    return read, written


def _roles(given: Sequence[str] | None) -> dict[str, str]:
    """Roles of `--role NAME=MODEL`, given several times or with commas."""
    roles: dict[str, str] = {}
    for part in (one.strip() for text in given or () for one in text.split(",") if one.strip()):
        name, sep, model = part.partition("=")
        if not sep or not name.strip() or not model.strip():
            raise UserError(f"cannot read --role {part!r}: write ROLE=MODEL, as in judge=openai/gpt-5")
        if name.strip() in roles:
            raise UserError(f"--role {name.strip()} is given twice: give it once")
        roles[name.strip()] = model.strip()
    return roles


def _folder_name(plan: Plan) -> str:
    """A folder of its own for each plan, so that the same command goes on where it was."""
    import hashlib

    digest = hashlib.sha256(json.dumps(plan.to_json(), sort_keys=True, default=str).encode()).hexdigest()[:8]
    return re.sub(r"[^\w.-]+", "-", ",".join(plan.models)).strip("-") + "-" + digest


def _dry(plan: Plan, folder: Path, as_json: bool) -> None:
    from leadline.runs.plan import dry_run

    rows = dry_run(plan, folder if folder.is_dir() else None)
    tokens, costs = sum(r.tokens for r in rows), [r.cost for r in rows if r.cost is not None]
    total = {"samples": sum(r.samples for r in rows), "tokens": tokens, "cost": sum(costs) if costs else None}
    if as_json:
        cells = [{"cell": str(r.cell), "samples": r.samples, "tokens": r.tokens, "cost": r.cost} for r in rows]
        return _print({"cells": cells, **total})
    for r in rows:
        print(
            f"{r.cell!s:70} {r.samples:6} samples {r.tokens:12,} tokens" + (f" {r.cost:9.2f} USD" if r.cost is not None else "")
        )
    print(
        f"in all at most {tokens:,} tokens"
        + (f", {sum(costs):.2f} USD" if costs else "; --prices 2.5,10 tells the cost")
        + ". Nothing was asked."
    )


class _Progress:
    """A line on standard error that says how far the work is; plain lines where there is no terminal."""

    def __init__(self) -> None:
        self.live, self.last, self.shown = sys.stderr.isatty(), 0.0, 0.0

    def __enter__(self) -> _Progress:
        import time

        self.start = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def __call__(self, at: Any) -> None:
        import time

        now = time.monotonic()
        if at.note:
            print(("\r\033[K" if self.live else "") + f"note: {at.note}", file=sys.stderr, flush=True)
        elif at.done == at.total or now - self.shown > (0.2 if self.live else 10):
            self.shown, took = now, now - self.start
            left = f", about {took / at.done * (at.total - at.done):.0f} s left" if at.total / 20 < at.done < at.total else ""
            text = f"{at.done} of {at.total} samples, {took:.0f} s{left}"
            print(f"\r\033[K{text}" if self.live else text, end="" if self.live else "\n", file=sys.stderr, flush=True)


def _finish(
    records: Sequence[Record], runs: Sequence[Path], page: Path, share: float, as_json: bool, compared: bool = False
) -> None:
    """Summary, page and table of some records; exit code 1 where samples could not be asked."""
    from leadline.report.console import table
    from leadline.report.page import write
    from leadline.scoring.summary import summarise

    if not records:
        raise UserError("no sample was asked: every task needs more tokens than the lengths allow; give longer --lengths")
    summary: Summary = summarise(records, share=share)
    written = write(records, summary, _info(runs) | {"share": share, "trained": _trained(records)}, page)
    if as_json:
        rows = {"rows": [_compared(g, records) for g in summary.groups]} if compared else {}
        _print({"run": str(runs[0]), "report": str(written), **rows, **summary.to_json()})
    else:
        print(table(summary, records))
        print(f"\nrun {runs[0]}, report {written}")
    if any(r.audit in NOT_ASKED for r in records):
        raise typer.Exit(1)


def _compared(group: Any, records: Sequence[Record]) -> dict[str, Any]:
    """A row of `compare`: what one method gives and what it costs; medians over samples, the peak at its highest."""
    from statistics import median

    mine = [r for r in records if (r.model, r.method, r.pipeline) == group.key]

    def of(name: str, how: Any = median) -> Any:
        values = [v for r in mine if (v := getattr(r, name)) is not None]
        return how(values) if values else None

    return {
        "model": group.model,
        "method": group.method,
        "score": group.score,
        "longscore": group.longscore.value,
        "breakdown": group.breakdown.to_json(),
        "ttft_s": of("ttft_s"),
        "token_s": of("token_s"),
        "peak_bytes": of("peak_bytes", max),
        "cache_bytes": of("cache_bytes"),
        "tokens": of("prompt_tokens", sum),
    }


def _trained(records: Sequence[Record]) -> dict[str, int]:
    """Lengths that models were trained at, where we know: minnow's card says it [tokens]."""
    from importlib import resources

    card = resources.files("leadline") / "models" / "minnow_weights" / "card.json"
    return (
        {"minnow": json.loads(card.read_text())["window"]}
        if any(r.model == "minnow" for r in records) and card.is_file()
        else {}
    )


def _info(runs: Sequence[Path]) -> dict[str, Any]:
    """What the report says of how the figures came about."""
    found = {
        str(run): json.loads((run / "run.json").read_text(encoding="utf-8")) for run in runs if (run / "run.json").is_file()
    }
    return next(iter(found.values())) | {"run": str(runs[0])} if len(found) == 1 else {"runs": found}


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders.")],
    out: Out = None,
    plots: Annotated[Path | None, typer.Option(help="Also write the plots as PNG and SVG into this folder.")] = None,
    share: Annotated[float, typer.Option(help="As in measure.")] = 0.85,
    as_json: Json = False,
) -> None:
    """Make one page of one or several runs."""
    from leadline.runs.records import load

    records = load(*runs)
    if plots is not None:
        from leadline.report.plots import draw, save
        from leadline.scoring.summary import summarise

        save(draw(records, summarise(records, share=share), _trained(records).get("minnow")), plots)
    _finish(records, runs, out or runs[0] / "report.html", share, as_json)


@app.command()
def score(
    task: Annotated[str | None, typer.Argument(help="Task, suite, or `longscore` for a table of scores.")] = None,
    predictions: Annotated[Path | None, typer.Option(help="JSON lines with prediction and answers.")] = None,
    metric: Annotated[str | None, typer.Option(help="Metric instead of a task, as in longbench/qa-f1.")] = None,
    table: Annotated[Path | None, typer.Option(help="JSON with lengths, base and raw scores, for longscore.")] = None,
    paper: Annotated[bool, typer.Option("--paper", help="LongScore exactly as the paper's code rounds it.")] = False,
    as_json: Json = False,
) -> None:
    """Score predictions that were made elsewhere."""
    from leadline.scoring import metrics

    if task == "longscore":
        from leadline.scoring.longscore import from_table

        if table is None:
            raise UserError("longscore reads a table of scores: give it with --table FILE (JSON with lengths, base, raw)")
        scores = {name: value.to_json() for name, value in from_table(_json(table), paper=paper).items()}
        if as_json:
            return _print(scores)
        print(f"{'':28} {'LongScore':>10} {'ratios first':>13}  by task")
        for name, value in scores.items():
            total, other = (f"{v:+.2f}" if v is not None else "-" for v in (value["value"], value["ratios_first"]))
            tasks = ", ".join(f"{task} {v:+.2f}" if v is not None else f"{task} -" for task, v in value["tasks"].items())
            print(f"{name:28} {total:>10} {other:>13}  {tasks}")
            for note in value.get("notes", ()):
                print(f"{'':28} note: {note}")
        return None
    if predictions is None or (task is None) == (metric is None):
        raise UserError(
            "give a task or --metric NAME, and --predictions FILE; `leadline list --room tasks` and `--room scoring` name them"
        )
    from leadline.runs.scored import scorer_of

    result = metrics.score_file(predictions, metric or scorer_of(str(task)), rows=metric is None)
    if as_json:
        return _print(result)
    print(f"{metric or task}: {result['score']:.4f} over {result['n']} predictions")
    return None


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}") from None


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
