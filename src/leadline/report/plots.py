"""Figures of a run for papers and slides: score by length, depth maps, difficulty, quality against cost.

Matplotlib's figures without pyplot, so nothing global changes; it is imported when a figure is asked for.
Colours tell apart for the colour-blind, lines carry their names. Knows nothing about HTML and runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadline.nouns import Record, UserError
from leadline.report import view, words
from leadline.scoring.breakdown import Breakdown
from leadline.scoring.summary import Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0b5c8a", "#c8500a", "#00795a", "#a3487f", "#8a6a00", "#3d8fc4", "#6a55b0", "#58636b")
INK, SOFT, RULE, WASH, FALL = "#17222b", "#54636f", "#dfe3e4", "#f1f4f4", "#b3430c"
HEAT = ("#f2efe6", "#9dbccb", "#0b5c8a")
STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 9.0,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": SOFT,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": False,
    "axes.axisbelow": True,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.bottom": False,
    "ytick.left": False,
    "xtick.minor.bottom": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "leadline",
}
COSTS: dict[str, tuple[str, Callable[[float], str]]] = {
    "cache_bytes": ("key-value cache", words.amount),
    "peak_bytes": ("peak memory beyond the weights", words.amount),
    "ttft_s": ("time to first token", words.duration),
    "token_s": ("time per further token", words.duration),
    "seconds": ("time of a sample", words.duration),
}


def draw(records: Sequence[Record], summary: Summary, trained: int | None = None) -> dict[str, Figure]:
    """All figures that the records give, by name.

    Args:
        records: of one run or several.
        summary: what `summarise` made of them.
        trained: length that the model was trained at, marked in the curves [tokens].
    """
    many = view.series(summary, records)
    figures: dict[str, Figure | None] = {"lengths": lengths(many, trained)}
    for one in many:
        end = f"-{_slug(one.label)}" if len(many) > 1 else ""
        figures[f"depth{end}"] = depth(one)
        figures[f"difficulty{end}"] = difficulty(one)
    figures["trade"] = trade(many)
    return {name: figure for name, figure in figures.items() if figure is not None}


def save(figures: Mapping[str, Figure], folder: Path) -> list[Path]:
    """Write each figure as PNG (200 dpi) and SVG.

    Returns:
        The files written.

    Raises:
        UserError: the folder cannot be made or written to.
    """
    import matplotlib

    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with matplotlib.rc_context(STYLE):
            for name, figure in figures.items():
                for kind, metadata in (("png", {}), ("svg", {"Date": None})):
                    path = folder / f"{name}.{kind}"
                    figure.savefig(path, dpi=200, metadata=metadata)
                    written.append(path)
    except OSError as error:
        raise UserError(f"cannot write figures to {folder}: {error.strerror or error}; give another folder") from error
    return written


def lengths(many: Sequence[view.Series], trained: int | None = None) -> Figure | None:
    """Score by length with 95 % intervals: the mean over the tasks, and below it each task.

    Args:
        many: the groups, a line each.
        trained: length that the model was trained at [tokens].
    """
    if not any(one.curve for one in many):
        return None
    tasks = list(dict.fromkeys(t for one in many for t in one.curves))
    rows = math.ceil(len(tasks) / 3) if len(tasks) > 1 else 0
    figure = _figure(8.4, 3.5 + 1.9 * rows)
    with _style():
        grid = figure.add_gridspec(1 + rows, 3, height_ratios=[3.1, *[1.6] * rows])
        top = figure.add_subplot(grid[0, :])
        fall = many[0].group.breakdown if len(many) == 1 else None
        base = sorted({n for one in many for n in one.base})
        _curves(top, [(i, one.label, one.curve) for i, one in enumerate(many)], base, fall, trained, small=False)
        top.set_title("Score by length, mean over the tasks" if rows else f"Score by length, {tasks[0]}")
        top.set_xlabel("length of the prompt [tokens]")
        for i, task in enumerate(tasks if rows else []):
            axes = figure.add_subplot(grid[1 + i // 3, i % 3])
            own = [(j, one.label, one.curves.get(task, ())) for j, one in enumerate(many)]
            _curves(axes, own, base, many[0].group.breakdown_tasks.get(task) if len(many) == 1 else None, trained, small=True)
            axes.set_title(task, fontsize=9)
    return figure


def _curves(
    axes: Axes,
    lines: Sequence[tuple[int, str, Sequence[view.Point]]],
    base: Sequence[int],
    fall: Breakdown | None,
    trained: int | None,
    small: bool,
) -> None:
    seen = sorted({p.length for _, _, points in lines for p in points})
    if not seen:
        axes.set_axis_off()
        return
    room = 1.35 if len(lines) == 1 or small else 1.25
    axes.set_xscale("log", base=2)
    axes.set_xlim(seen[0] / 1.25, seen[-1] * room)
    axes.set_ylim(-2, 104)
    axes.set_yticks([0, 50, 100] if small else [0, 25, 50, 75, 100])
    axes.hlines([25, 50, 75, 100] if not small else [50, 100], *axes.get_xlim(), color=RULE, lw=0.7, zorder=0)
    if base:
        after = [n for n in seen if n > max(base)]
        edge = math.sqrt(max(base) * after[0]) if after else axes.get_xlim()[1]
        axes.axvspan(axes.get_xlim()[0], edge, color=WASH, zorder=-1, lw=0)
        if not small:
            axes.text(seen[0] / 1.22, 1, "base", color=SOFT, fontsize=8)
    if trained:
        axes.axvline(trained, color=SOFT, lw=1, ls=(0, (1, 2)))
        if not small:
            axes.text(trained * 1.03, 1, "trained length", color=SOFT, fontsize=8)
    if fall is not None and fall.tokens and not fall.censored:
        axes.axvspan(fall.low or seen[0], fall.high or seen[-1], color=FALL, alpha=0.1, lw=0)
        axes.axvline(fall.tokens, color=FALL, lw=1.2, ls=(0, (4, 2)))
        if not small:
            said = f"breaks down at about {words.about(fall.tokens)} ({words.reach(fall)})"
            axes.text((fall.high or seen[-1]) * 1.04, 99, said, color=FALL, fontsize=8.5, weight="bold", va="center")
    for index, _, points in lines:
        colour = COLOURS[index % len(COLOURS)]
        x, y = [p.length for p in points], [100 * p.score for p in points]
        axes.fill_between(x, [100 * p.low for p in points], [100 * p.high for p in points], color=colour, alpha=0.14, lw=0)
        dashes = "-" if index < len(COLOURS) else (0, (4, 2))
        axes.plot(
            x, y, color=colour, lw=1.3 if small else 1.9, ls=dashes, marker="o", ms=2.6 if small else 4.2, mec="white", mew=0.7
        )
    if len(lines) > 1 and not small:
        from leadline.report.svg import spread

        ended = [(index, name, points[-1]) for index, name, points in lines if points]
        places = spread([100 * p.score for _, _, p in ended], 6.5, 0, 102)
        for (index, name, p), place in zip(ended, places, strict=True):
            colour = COLOURS[index % len(COLOURS)]
            axes.annotate(
                name,
                (p.length * 1.06, place),
                color=colour,
                fontsize=8.5,
                weight="bold",
                va="center",
                annotation_clip=False,
            )
    every = max(1, math.ceil(len(seen) / (14 if not small else 6 if len(lines) == 1 else 4)))
    ticks = seen[::-1][::every][::-1]
    axes.set_xticks(ticks, [words.length(n) for n in ticks])
    axes.minorticks_off()


def depth(one: view.Series) -> Figure | None:
    """Depth by length for the tasks with one evidence; None where there are none."""
    maps = view.heats(one)
    if not maps:
        return None
    columns = min(3, len(maps))
    rows = math.ceil(len(maps) / columns)
    figure = _figure(0.7 + 2.9 * columns, 0.5 + 1.95 * rows)
    with _style():
        from matplotlib.colors import LinearSegmentedColormap

        colours = LinearSegmentedColormap.from_list("depth", HEAT)
        for i, m in enumerate(maps):
            axes = figure.add_subplot(rows, columns, i + 1)
            values = [[math.nan if v is None else 100 * v for v in row] for row in m.values]
            axes.pcolormesh(values, cmap=colours, vmin=0, vmax=100, edgecolors="white", lw=1.5)
            axes.invert_yaxis()
            for r, row in enumerate(values):
                for c, v in enumerate(row):
                    said, colour = ("·", SOFT) if math.isnan(v) else (f"{v:.0f}", "white" if v > 62 else INK)
                    axes.text(c + 0.5, r + 0.5, said, ha="center", va="center", fontsize=7.5, color=colour)
            axes.set_xticks([c + 0.5 for c in range(len(m.lengths))], [words.length(n) for n in m.lengths], fontsize=8)
            ends = [100 * r // len(values) for r in range(len(values) + 1)]
            axes.set_yticks(range(len(values) + 1), [f"{e} %" for e in ends], fontsize=8)
            axes.set_title(m.title, fontsize=9)
            axes.spines["bottom"].set_visible(False)
            if i % columns == 0:
                axes.set_ylabel("depth of the evidence")
    return figure


def difficulty(one: view.Series) -> Figure | None:
    """Tasks by scope and diffusion, a dot a length, coloured by score; None where no record carries them."""
    places = view.places(one.records)
    if not places:
        return None
    figure = _figure(6.2, 4.9)
    with _style():
        from matplotlib.colors import LinearSegmentedColormap

        axes = figure.add_subplot()
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="scope: how much must be read", ylabel="diffusion: how hard it is to find")
        axes.axhline(0.5, color=RULE, lw=0.8)
        axes.axvline(0.5, color=RULE, lw=0.8)
        shortest = min(p.length for p in places)
        sizes = [18 + 26 * math.log2(p.length / shortest) for p in places]
        colours = LinearSegmentedColormap.from_list("score", HEAT)
        dots = axes.scatter(
            [p.scope for p in places], [p.diffusion for p in places], sizes, [100 * p.score for p in places],
            cmap=colours, vmin=0, vmax=100, edgecolors=SOFT, linewidths=0.6, zorder=3,
        )  # fmt: skip
        for task in dict.fromkeys(p.task for p in places):
            own = [p for p in places if p.task == task]
            axes.plot([p.scope for p in own], [p.diffusion for p in own], color=RULE, lw=1.5, zorder=2)
        _labels(axes, places, sizes)
        for q in one.group.quadrants:
            wide, diffuse = q.scope == "high", q.diffusion == "high"
            said, at = f"mean {words.score(q.score)}, n = {q.n:,}", (0.985 if wide else 0.015, 0.975 if diffuse else 0.025)
            sides: Any = {"ha": "right" if wide else "left", "va": "top" if diffuse else "bottom"}
            axes.text(*at, said, color=SOFT, fontsize=8, **sides)
        bar = figure.colorbar(dots, ax=axes, fraction=0.03, pad=0.03)
        bar.set_label("score; larger dots are longer prompts")
        bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
        axes.set_title(f"Score by diffusion and scope, {one.label}")
    return figure


def _labels(axes: Axes, places: Sequence[view.Place], sizes: Sequence[float]) -> None:
    """Names of the tasks beside their dots, where they meet neither dots nor names."""
    from leadline.report.svg import beside

    # About the size of the axes in points; the layout is not yet made.
    wide, high = 340.0, 290.0
    dots = {task: [] for task in dict.fromkeys(p.task for p in places)}
    for p, size in zip(places, sizes, strict=True):
        dots[p.task].append((wide * p.scope, high * (1 - p.diffusion), (size / math.pi) ** 0.5))
    taken = [(x - r, y - r, x + r, y + r) for own in dots.values() for x, y, r in own]
    for task, own in dots.items():
        box, anchor = beside(own, 5.6 * len(task), taken, (2, 14, wide - 2, high - 14))
        taken.append(box)
        at = ((box[0] if anchor == "start" else box[2]) / wide, 1 - (box[1] + box[3]) / 2 / high)
        side = "left" if anchor == "start" else "right"
        axes.annotate(task, at, va="center", ha=side, fontsize=8.5, weight="bold", zorder=4).set_in_layout(False)


def trade(many: Sequence[view.Series]) -> Figure | None:
    """Mean score beyond the base against each cost at the longest common length; None for fewer than two groups."""
    found = view.trades(many)
    if not found:
        return None
    columns = min(3, len(found))
    rows = math.ceil(len(found) / columns)
    figure = _figure(3.0 * columns, 2.5 * rows)
    index = {id(one): i for i, one in enumerate(many)}
    with _style():
        from leadline.report.svg import short, spread

        for i, (name, points) in enumerate(found.items()):
            axes = figure.add_subplot(rows, columns, i + 1)
            title, say = COSTS[name]
            most = max(cost for _, cost, _ in points)
            axes.set(xlim=(0, 1.15 * most), ylim=(-2, 104))
            axes.set_yticks([0, 25, 50, 75, 100])
            axes.hlines([25, 50, 75, 100], 0, 1.15 * most, color=RULE, lw=0.7, zorder=0)
            axes.set_xticks([0, most / 2, most], ["0", say(most / 2), say(most)])
            for (one, cost, score), place in zip(points, spread([100 * s for _, _, s in points], 8, 2, 102), strict=True):
                colour = COLOURS[index[id(one)] % len(COLOURS)]
                axes.plot(cost, 100 * score, "o", color=colour, ms=7, mec="white")
                near = cost > 0.53 * most
                at = (cost + (-0.05 if near else 0.05) * most, place)
                said = short(one.label, 20)
                axes.annotate(said, at, ha="right" if near else "left", va="center", color=colour, fontsize=8, weight="bold")
            axes.set_title(title, fontsize=9)
            if i % columns == 0:
                axes.set_ylabel("score beyond the base")
    return figure


def _style() -> Any:
    import matplotlib

    return matplotlib.rc_context(STYLE)


def _figure(width: float, height: float) -> Figure:
    """A figure [inches] that draws with Agg."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _slug(text: str) -> str:
    """A name for a file from a label."""
    return "".join(c if c.isalnum() else "-" for c in text).strip("-").replace("---", "-").replace("--", "-") or "plain"
