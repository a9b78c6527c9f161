"""Charts as inline SVG: colours come from the page's style sheet, so they follow its light and dark scheme.

Every text is escaped here. Knows nothing about pages and files.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence

from leadline.report import view, words
from leadline.scoring.breakdown import Breakdown
from leadline.scoring.slices import Quadrant

COLOURS = 8
"""Line colours of the style sheet: classes c0 to c7, then again from the start with dashes."""
LETTER = 7.4
"""Width that a letter of a bold label may have [px]; fonts differ, so it is a wide one."""

NAMED = 16
"""Tasks whose dots carry their names; those of more are named where one points at them."""
WIDE = 600
"""Charts from this width on are scrolled, not shrunk, on a small screen [px]."""


def esc(text: object) -> str:
    """Text for HTML; control characters, which HTML has no place for, become a visible sign."""
    return html.escape("".join(c if c in "\n\t" or c >= " " else "\ufffd" for c in str(text)))


def colour(index: int) -> str:
    """Classes of a series' colour."""
    return f"c{index % COLOURS}" + (" dash" if index >= COLOURS else "")


def ink(score: float) -> str:
    """Class of the text on a field that is filled by a score."""
    return "on" if score > 0.55 else "off"


def short(text: str, letters: int) -> str:
    """Cut in the middle, so that a spec keeps its name and its last setting."""
    return text if len(text) <= letters else text[: letters * 2 // 3] + "…" + text[len(text) - letters // 3 + 1 :]


def _wrap(width: float, height: float, title: str, body: list[str]) -> str:
    wide = width >= WIDE
    drawn = (
        f'<svg class="chart{" wide" if wide else ""}" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{esc(title)}" '
        f'style="max-width:{width:g}px">{"".join(body)}</svg>'
    )
    return f'<div class="scroll">{drawn}</div>' if wide else drawn


def _text(x: float, y: float, said: object, kind: str = "", anchor: str = "start", tip: str = "") -> str:
    inner = f"<title>{esc(tip)}</title>" if tip else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{inner}{esc(said)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def _rect(x: float, y: float, w: float, h: float, kind: str, extra: str = "", inner: str = "") -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(w, 0):.1f}" height="{h:.1f}" class="{kind}"{extra}>{inner}</rect>'


def _circle(x: float, y: float, r: float, kind: str, tip: str, extra: str = "") -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}" class="{kind}"{extra}><title>{esc(tip)}</title></circle>'


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """From log2 tokens to pixels."""
    a, b = math.log2(low), math.log2(high)
    return lambda tokens: start + (math.log2(tokens) - a) / ((b - a) or 1) * (end - start)


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places as near as may be to the wanted ones, at least `gap` apart, within low and high where they fit."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = [0.0] * len(wanted)
    last = low - gap
    for i in order:
        placed[i] = last = max(wanted[i], last + gap)
    last = high + gap
    for i in reversed(order):
        placed[i] = last = min(placed[i], last - gap)
    return placed


def curves(
    lines: Sequence[tuple[int, str, Sequence[view.Point]]],
    *,
    title: str,
    base: Sequence[int] = (),
    breakdown: Breakdown | None = None,
    trained: int | None = None,
    width: int = 720,
    height: int = 330,
    small: bool = False,
) -> str:
    """Score by length with intervals; lines carry their names at their ends.

    Args:
        lines: (colour, name, points).
        title: what is read aloud.
        base: lengths that are shaded as the base [tokens].
        breakdown: drawn with its interval.
        trained: length that the model was trained at, marked [tokens].
        width: [px].
        height: [px].
        small: one of many: names are left to the caption.
    """
    lengths = sorted({p.length for _, _, points in lines for p in points})
    if not lengths:
        return ""
    names = [] if small else [short(name, 30) for _, name, _ in lines]
    left, right = 34, 14 + (max(map(len, names)) * LETTER + 10 if len(lines) > 1 and names else 0)
    top, bottom = 14, height - (24 if small else 40)
    x = _scale(lengths[0] / 2**0.25, lengths[-1] * 2**0.25, left, width - right)
    y = lambda s: bottom - s * (bottom - top)  # noqa: E731
    body = []
    if base:
        # Halfway to the next length on either side, where there is one.
        below, above = [n for n in lengths if n < min(base)], [n for n in lengths if n > max(base)]
        start = (x(below[-1]) + x(min(base))) / 2 if below else left
        end = (x(max(base)) + x(above[0])) / 2 if above else x(max(base)) if not below else width - right
        body.append(_rect(start, top, end - start, bottom - top, "base"))
        if not small:
            body.append(_text(start + 6, bottom - 6, "base", "faint"))
    for s in (0, 0.5, 1) if small else (0, 0.25, 0.5, 0.75, 1):
        body.append(_line(left, y(s), width - right, y(s), "grid" if s else "axis"))
        body.append(_text(left - 6, y(s) + 4, f"{100 * s:g}", "tick", "end"))
    every = math.ceil(len(lengths) * (46 if small else 52) / max(width - left - right, 1))
    for i, n in enumerate(lengths):
        if (len(lengths) - 1 - i) % every == 0:
            body.append(_text(x(n), bottom + 16, words.length(n), "tick", "middle"))
    if not small:
        body.append(_text((left + width - right) / 2, height - 6, "length of the prompt [tokens]", "faint", "middle"))
    if trained and lengths[0] < trained < lengths[-1]:
        body.append(_line(x(trained), top, x(trained), bottom, "trained"))
        if not small:
            body.append(_text(x(trained) + 5, bottom - 6, "trained length", "faint"))
    if breakdown is not None and breakdown.tokens is not None:
        body += _fall_mark(breakdown, x, top, bottom, lengths, small)
    for index, _, points in lines:
        kind = colour(index)
        if not points:
            continue
        outline = [(x(p.length), y(p.high)) for p in points] + [(x(p.length), y(p.low)) for p in reversed(points)]
        body.append(f'<polygon points="{_points(outline)}" class="band {kind}"/>')
    for index, name, points in lines:
        kind = colour(index)
        body.append(f'<polyline points="{_points([(x(p.length), y(p.score)) for p in points])}" class="line {kind}"/>')
        for p in points:
            tip = f"{name}, {words.length(p.length)}: {words.score(p.score)} (95 %: {words.span(p.low, p.high)}), n = {p.n}"
            tip += "" if p.complete else "; not all tasks measured here"
            kind_of_dot = f"dot {kind}{'' if p.complete else ' open'}"
            body.append(_circle(x(p.length), y(p.score), 2.4 if small else 3.4, kind_of_dot, tip))
    ends = [points[-1] for _, _, points in lines if points] if len(lines) > 1 and not small else []
    places = spread([y(p.score) + 4 for p in ends], 15, top + 6, bottom)
    for (index, name, _), end, place in zip([line for line in lines if line[2]], ends, places, strict=False):
        body.append(_text(x(end.length) + 9, place, short(name, 30), f"name {colour(index)}", tip=name))
    return _wrap(width, height, title, body)


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in points)


def _fall_mark(
    breakdown: Breakdown, x: Callable[[float], float], top: float, bottom: float, lengths: Sequence[int], small: bool
) -> list[str]:
    assert breakdown.tokens is not None
    first, last = x(lengths[0]), x(lengths[-1])
    clip = lambda v: min(max(v, first), last)  # noqa: E731
    if breakdown.censored:
        return []
    low = clip(x(breakdown.low)) if breakdown.low else first
    high = clip(x(breakdown.high)) if breakdown.high else last
    at = clip(x(breakdown.tokens))
    body = [_rect(low, top, high - low, bottom - top, "fallband"), _line(at, top, at, bottom, "fall")]
    if not small:
        left = at > (first + last) * 0.62
        said = f"breaks down at about {words.about(breakdown.tokens)}"
        # Before its breakdown a curve runs along the top, behind it along the bottom: the name keeps out of its way.
        # Behind the interval where there is room, else behind the line.
        right = high if high + LETTER * len(said) < last else at
        place = (
            (low - 6, (top + bottom) / 2, said, "fallname", "end") if left else (right + 6, top + 10, said, "fallname", "start")
        )
        body.append(_text(*place))
    return body


def gauge(rows: Sequence[tuple[int, str, Breakdown]], lengths: Sequence[int]) -> str:
    """How far each series reads, as a sounding line over a ruler of lengths: full until it surely reads, then fading.

    Args:
        rows: (colour, name, breakdown).
        lengths: all that were measured [tokens].
    """
    rows = [row for row in rows if row[2].tokens is not None]
    if not rows or not lengths:
        return ""
    width, step, top = 1000, 40 if len(rows) > 1 else 22, 8
    low, high = min(lengths), max(lengths)
    x = _scale(low, high, 14, width - 14)
    bottom = top + step * len(rows)
    body = []
    for n in lengths:
        body.append(_line(x(n), top, x(n), bottom + 4, "grid"))
    every = math.ceil(len(lengths) * 52 / width)
    for i, n in enumerate(lengths):
        if (len(lengths) - 1 - i) % every == 0:
            body.append(_text(x(n), bottom + 18, words.length(n), "tick", "middle"))
    for i, (index, name, b) in enumerate(rows):
        assert b.tokens is not None
        middle = top + step * i + step - 11
        if len(rows) > 1:
            body.append(_text(x(low) - 14, middle - 11, short(name, 80), f"name {colour(index)}", tip=name))
        end = x(high)
        sure = x(max(low, min(high, (b.low or low) if not (b.censored and b.high is None) else b.tokens)))
        reach = x(max(low, min(high, b.high or high))) if not (b.censored and b.high is None) else end
        start = x(low) - 14
        tip = f"<title>{esc(f'{name} {words.fall(b)}')}</title>"
        body.append(_rect(start, middle - 4, end - start + 14, 8, "rope", ' rx="4"'))
        body.append(_rect(start, middle - 4, sure - start, 8, f"sure {colour(index)}", ' rx="4"', tip))
        body.append(_rect(sure - 2, middle - 4, reach - sure + 2, 8, f"unsure {colour(index)}", ' rx="3"', tip))
        if not b.censored:
            at = x(max(low, min(high, b.tokens)))
            body.append(f'<path d="M{at:.1f} {middle - 9:.1f}v18" class="plumb {colour(index)}">{tip}</path>')
    return _wrap(width, bottom + 24, "How far each reads", body)


def heat(one: view.Heat, width: int = 340) -> str:
    """Depth by length: the fuller the colour, the better the score; a dot where nothing was measured."""
    left, top = 74, 4
    cell = min(58.0, (width - left - 4) / max(len(one.lengths), 1))
    row = 27
    bottom = top + row * len(one.values)
    body = []
    for r, values in enumerate(one.values):
        said = f"{100 * r // len(one.values)}–{100 * (r + 1) // len(one.values)} %"
        body.append(_text(left - 8, top + row * r + row / 2 + 4, said, "tick", "end"))
        for c, value in enumerate(values):
            px, py = left + cell * c, top + row * r
            if value is None:
                body.append(_text(px + cell / 2, py + row / 2 + 4, "·", "faint", "middle"))
                continue
            tip = f"depth {said}, {words.length(one.lengths[c])}: {words.score(value)}, n = {one.counts[r][c]}"
            body.append(
                _rect(
                    px + 1, py + 1, cell - 2, row - 2, "heat", f' rx="2" style="--v:{value:.3f}"', f"<title>{esc(tip)}</title>"
                )
            )
            if cell >= 24:
                body.append(_text(px + cell / 2, py + row / 2 + 4, words.score(value), f"heattext {ink(value)}", "middle"))
    every = math.ceil(40 / cell)
    for c, n in enumerate(one.lengths):
        if (len(one.lengths) - 1 - c) % every == 0:
            body.append(_text(left + cell * (c + 0.5), bottom + 16, words.length(n), "tick", "middle"))
    return _wrap(left + cell * len(one.lengths) + 8, bottom + 22, f"Score by depth and length, {one.title}", body)


def scatter(places: Sequence[view.Place], corners: Sequence[Quadrant], title: str, width: int = 640) -> str:
    """Difficulty of each task (scope to the right, diffusion up), a dot for each length, small to large; colour is score.

    Args:
        places: of the tasks.
        corners: mean score and samples by low and high coordinates.
        title: what is read aloud.
        width: [px].
    """
    left, right, top = 40, 14, 12
    bottom = top + min(380.0, (width - left - right) * 0.8)
    x = lambda v: left + v * (width - left - right)  # noqa: E731
    y = lambda v: bottom - v * (bottom - top)  # noqa: E731
    body = [_rect(left, top, width - left - right, bottom - top, "frame")]
    body += [_line(x(0.5), top, x(0.5), bottom, "grid"), _line(left, y(0.5), width - right, y(0.5), "grid")]
    for v in (0, 0.5, 1):
        body.append(_text(x(v), bottom + 16, f"{v:g}", "tick", "end" if v == 1 else "middle"))
        body.append(_text(left - 6, y(v) + 4, f"{v:g}", "tick", "end"))
    body.append(_text((left + width - right) / 2, bottom + 36, "scope: how much must be read", "faint", "middle"))
    body.append(
        f'<text transform="translate(11 {(top + bottom) / 2:g}) rotate(-90)" class="faint" text-anchor="middle">'
        "diffusion: how hard it is to find</text>"
    )
    taken: list[Box] = []
    for q in corners:
        wide = q.scope == "high"
        px, py = width - right - 8 if wide else left + 8, top + 16 if q.diffusion == "high" else bottom - 8
        tip = f"95 %: {words.span(q.low, q.high)}"
        body.append(_text(px, py, f"mean {words.score(q.score)}, n = {q.n:,}", "corner", "end" if wide else "start", tip))
        taken.append((px - 110, py - 12, px, py) if wide else (px, py - 12, px + 110, py))
    tasks = list(dict.fromkeys(p.task for p in places))
    shortest, longest = min(p.length for p in places), max(p.length for p in places)
    octaves = math.log2(longest / shortest) or 1
    dots: dict[str, list[Dot]] = {}
    for task in tasks:
        own = [p for p in places if p.task == task]
        dots[task] = [(x(p.scope), y(p.diffusion), 4 + 6 * math.log2(p.length / shortest) / octaves) for p in own]
        taken += [(px - r, py - r, px + r, py + r) for px, py, r in dots[task]]
        body.append(f'<polyline points="{_points([(px, py) for px, py, _ in dots[task]])}" class="trail"/>')
        for p, (px, py, r) in zip(own, dots[task], strict=True):
            tip = f"{task}, {words.length(p.length)}: {words.score(p.score)}, n = {p.n}"
            tip += f" (diffusion {p.diffusion:.2f}, scope {p.scope:.2f})"
            body.append(_circle(px, py, r, "heat ring", tip, f' style="--v:{p.score:.3f}"'))
    frame = (left + 2, top + 2, width - right - 2, bottom - 2)
    for task in tasks if len(tasks) <= NAMED else []:
        box, anchor = beside(dots[task], len(short(task, 26)) * LETTER, taken, frame)
        taken.append(box)
        body.append(_text(box[0] if anchor == "start" else box[2], box[3] - 3, short(task, 26), "label", anchor, task))
    return _wrap(width, bottom + 46, title, body)


Box = tuple[float, float, float, float]
"""Left, top, right, bottom [px]."""
Dot = tuple[float, float, float]
"""Centre and radius [px]."""


def beside(dots: Sequence[Dot], wide: float, taken: Sequence[Box], frame: Box) -> tuple[Box, str]:
    """A place for a label near its dots that meets nothing: right of them, left, above, below; else right of them."""
    last, first = max(dots), min(dots)
    up, down = min(y - r for _, y, r in dots), max(y + r for _, y, r in dots)
    middle = (first[0] + last[0] - wide) / 2
    choices: list[tuple[Box, str]] = [
        ((last[0] + last[2] + 5, last[1] - 8, last[0] + last[2] + 5 + wide, last[1] + 7), "start"),
        ((first[0] - first[2] - 5 - wide, first[1] - 8, first[0] - first[2] - 5, first[1] + 7), "end"),
        ((middle, up - 17, middle + wide, up - 2), "start"),
        ((middle, down + 2, middle + wide, down + 17), "start"),
    ]
    for box, anchor in choices:
        inside = frame[0] <= box[0] and frame[1] <= box[1] and box[2] <= frame[2] and box[3] <= frame[3]
        if inside and not any(box[0] < t[2] and t[0] < box[2] and box[1] < t[3] and t[1] < box[3] for t in taken):
            return box, anchor
    return choices[0]


def trade(rows: Sequence[tuple[int, str, float, float]], cost: str, say: Callable[[float], str], width: int = 350) -> str:
    """Quality against one cost; up and to the left is better.

    Args:
        rows: (colour, name, cost, score).
        cost: what it is, with its unit's meaning.
        say: how a cost is written.
        width: [px].
    """
    height, left, right, top, bottom = 226, 34, 16, 12, 204
    most = max(value for _, _, value, _ in rows) * 1.12
    x = lambda v: left + v / most * (width - left - right)  # noqa: E731
    y = lambda s: bottom - s * (bottom - top)  # noqa: E731
    body = []
    for s in (0, 0.25, 0.5, 0.75, 1):
        body.append(_line(left, y(s), width - right, y(s), "grid" if s else "axis"))
        body.append(_text(left - 6, y(s) + 4, f"{100 * s:g}", "tick", "end"))
    for part in (0, 0.5, 1):
        value = most / 1.12 * part
        body.append(_text(x(value), bottom + 16, say(value) if part else "0", "tick", "middle"))
    places = spread([y(s) + 4 for _, _, _, s in rows], 15, top + 6, bottom - 4)
    for (index, name, value, score), place in zip(rows, places, strict=True):
        tip = f"{name}: score {words.score(score)}, {cost} {say(value)}"
        body.append(_circle(x(value), y(score), 6, f"dot {colour(index)}", tip))
        near = x(value) > (left + width) / 2
        room = (x(value) - left - 8 if near else width - x(value)) - 12
        said = short(name, max(6, int(room / LETTER)))
        body.append(
            _text(x(value) + (-11 if near else 11), place, said, f"name {colour(index)}", "end" if near else "start", name)
        )
    return _wrap(width, height, f"Score by {cost}", body)
