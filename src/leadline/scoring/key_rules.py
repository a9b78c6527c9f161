"""Rules that take the key answer out of a free reply: what is stated, else what is affirmed and not taken back.

One order for all kinds: a box; a list of the choices said again is cut away; an explicit statement ("the answer is ..."); the
only choice that is affirmed; where several are, the one that a correction or a conclusion leads to, or the last sentence names.
None of these, or two side by side ("A or C"): no answer. Knows nothing about right and wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leadline.scoring import extract

CUE = (
    r"(?:(?:final|correct|right|best|my|true)\s+)*(?:answer|response|choice|option|verdict|label|category|topic|type|genre|"
    r"sentiment|relation|classification|priority|urgency|language|winner|result|conclusion)\b"
)
ASIDES = r"(?:\s+(?:here|to\s+\w+\s+\w+|in\s+this\s+case))?"
SAID = ASIDES + r"\s*(?:would\s+be|should\s+be|must\s+be|will\s+be|has\s+to\s+be|is|was|=|:|-|–|：)+"
CHINESE_CUE = r"(?:答案|正确的?(?:选项|答案)|情感|应该?选|选择|选)\s*(?:应该是|应为|是|为|：|:|】)?"
STATED = rf"(?:\b{CUE}{SAID}|{CHINESE_CUE})"
CLEFT = r"\bit (?:is|was) (?=[^.,;]{1,40} (?:who|that|which) )"
"""It was the engineer who ..."""
CHOSEN = (
    r"(?:choose|pick|select|go with|go for|opt for|say|must be|it be|it is|it's|makes it|leaves|then|believe(?: that)? it is|"
    r"use|would be)\s+(?:answer\s+)?"
)
TURN = re.compile(
    r"\b(?:no,?\s+wait|wait|actually|hmm+|on (?:a )?(?:second|closer) (?:look|thought|reading)|correction|sorry|let me check|"
    r"i change (?:that|this|it) to|rereading|after reading|scratch that|i mixed up|then again)\b|后来|不是[^，。]*，(?:而)?是",
    re.I,
)
"""A reply that turns: what follows counts over what stood before."""
ENDING = re.compile(
    r"(?:\b(?:so|thus|therefore|hence|overall|in (?:sum|short|total|the end)|consequently|which (?:means|makes)|that leaves|"
    r"i(?:'d| would| will| am going to)? (?:say|pick|choose|go (?:with|for)|guess|answer|select|opt for|classify it as)|"
    r"(?:i )?(?:think|believe) (?:it|that|the)|if i have to choose(?: one)?)|所以|因此|####|→)\W*",
    re.I,
)
DENIAL = re.compile(
    r"(?:\b(?:not|never|no longer|neither|nor|isn't|wasn't|cannot be|can't be|rather than|instead of|unlike|rule(?:d)? out|"
    r"other than|except|but not|hard to call this|at first|would not|wouldn't|used to|hoped for|expected|mistaken for)\b|"
    r"n't\b|不是)[^.;:!?\n。；]{0,40}$",
    re.I,
)
"""Words before a choice that take it back."""
NEAR = 120
"""How far such words may stand from it, sentence ends aside [characters]."""
MARKS = 20
"""So many corrections and conclusions are looked at, from the end."""
RELENTS = re.compile(r"\bbut\b|\byet\b|\bit is\b|\bit was\b|，(?:而)?是|, it's", re.I)
DENIED = re.compile(
    r"^\W*(?:[^.;!?\n]{0,40}?\b(?:is wrong|are wrong|is incorrect|can be (?:ruled out|excluded)|is (?:only )?mentioned only|"
    r"is not|isn't|are not|does not|would be too|resigned|lost|– no|- no|—no|- not mentioned)\b)",
    re.I,
)
"""Words behind a choice that take it back."""
HEDGE = re.compile(r"\b(?:either|both|or|perhaps|maybe|and)\b|[/?？]", re.I)
SENTENCE = re.compile(r"(?<=[.!?。])\s+|\n+")
WRAPPED = re.compile(r"\\(?:text|mathrm|textbf|mbox)\s*\{([^{}]*)\}")
ORDER = {
    w: i for i, pair in enumerate(("one first", "two second", "three third", "four fourth", "five fifth")) for w in pair.split()
}


@dataclass(frozen=True)
class Mention:
    """A choice found in a text."""

    name: str
    start: int
    end: int


def own_words(reply: str) -> str:
    """The reply without thinking, markup, and questions that a model goes on to ask itself."""
    text = extract.without_thinking(reply) or ""
    tagged = re.findall(r"<answer>(.*?)</answer>", text, re.S | re.I)
    text = re.sub(r"```[\w-]*\n?", "", tagged[-1] if tagged else text)
    try:
        found = json.loads(text)
        text = str(found["answer"]) if isinstance(found, Mapping) and "answer" in found else text
    except ValueError:
        pass
    clear = extract.plain(text)
    clear = clear.lstrip()
    again = re.search(r"\n\s*(?:Question|Context|Passage|Input)\s*:", clear)
    return clear[: again.start()] if again else clear


def boxed(text: str) -> str | None:
    r"""What stands in the last `\boxed{}`, whatever braces it holds; None without one."""
    at = text.rfind("\\boxed")
    if at < 0:
        return None
    rest = text[at + len("\\boxed") :].lstrip()
    if not rest.startswith("{"):
        return rest.split("$")[0].split()[0] if rest.split() else None
    depth = 0
    for i, c in enumerate(rest):
        depth += {"{": 1, "}": -1}.get(c, 0)
        if depth == 0:
            return rest[1:i].strip()
    return rest[1:].strip()


def mentions(text: str, names: Mapping[str, str]) -> list[Mention]:
    """Where the choices stand, by any of their spellings; the longest where several begin at one place."""
    if not names:
        return []
    spelt = sorted(names, key=len, reverse=True)
    some = "|".join(rf"(?<!\w){re.escape(n)}(?!\w)" if n[:1].isascii() else re.escape(n) for n in spelt)
    low = {n.lower(): c for n, c in names.items()}
    found = list(re.finditer(some, text, re.I))
    # Where names are written as they are spelt, a word like "march" is another word than "March".
    exact = [m for m in found if m[0] in names]
    capital = all(n[:1].isupper() for n in names)
    return [Mention(low[m[0].lower()], *m.span()) for m in (exact if exact and capital else found)]


def denied(text: str, m: Mention) -> bool:
    """Whether the words around a mention take it back."""
    head = DENIAL.search(text[max(0, m.start - NEAR) : m.start])
    if head and not RELENTS.search(head[0]):
        return True
    return DENIED.match(text[m.end : m.end + NEAR].split("\n")[0]) is not None


def hedged(text: str, found: Sequence[Mention]) -> bool:
    """Whether two different ones stand side by side with nothing but "or", "and" or the like between them."""
    for a, b in zip(found, found[1:], strict=False):
        between = text[a.end : b.start]
        if a.name != b.name and len(between) < 12 and (HEDGE.search(between) or re.fullmatch(r"[\s,、;|/]*", between)):
            return True
    return False


def settled(text: str, found: Sequence[Mention]) -> str | None:
    """The one that is affirmed: the only one, or the one that a correction or a conclusion leads to."""
    kept = [m for m in found if not denied(text, m)]
    names = list(dict.fromkeys(m.name for m in kept))
    if len(names) <= 1:
        return names[0] if names else None
    for pattern in (TURN, ENDING):
        for mark in reversed(list(pattern.finditer(text))[-MARKS:]):
            rest = [m for m in kept if m.start >= mark.end()]
            if len({m.name for m in rest}) == 1:
                return rest[0].name
            if rest and not hedged(text, rest):
                return rest[0 if pattern is ENDING else -1].name
    return None


def stated(text: str, names: Mapping[str, str]) -> str | None:
    """The choice that the last explicit statement gives ("the answer is ...")."""
    for mark in reversed(list(re.finditer(rf"{STATED}|{CLEFT}", text, re.I))[-MARKS:]):
        rest = text[mark.end() :].lstrip(" \n*:：'\"“")
        rest = re.split(r"(?<=[.!?。！？])(?:\s|$)|\n\s*\n?", rest, maxsplit=1)[0]
        kept = [m for m in mentions(rest, names) if not denied(rest, m)]
        if kept and not hedged(rest, kept):
            return kept[0].name
    return None


def closing(text: str, names: Mapping[str, str]) -> str | None:
    """The only choice of the last sentence that affirms any."""
    for sentence in reversed(SENTENCE.split(text.strip())):
        here = {m.name for m in mentions(sentence, names) if not denied(sentence, m)}
        if here:
            return here.pop() if len(here) == 1 else None
    return None


# One of some options, by letter or by text.


def option(reply: str, options: Sequence[tuple[str, str]]) -> str | None:
    """The letter of the option that a reply chooses; None where it chooses none."""
    text = own_words(reply)
    letters = {letter.upper(): letter for letter, _ in options}
    by_text = {words: letter for letter, words in options if words}
    some = "".join(letters)
    box = boxed(text)
    if box is not None:
        inner = WRAPPED.sub(r"\1", box).strip(" ()$.")
        return letters.get(inner.upper()) or {k.lower(): v for k, v in by_text.items()}.get(inner.lower())
    text = _past_list(text, options)
    alone = re.fullmatch(rf"\W*([{some}{some.lower()}])\W*", text)
    if alone:
        return letters[alone[1].upper()]
    for turn in reversed(list(TURN.finditer(text))[-MARKS:]):
        found = _chosen(text[turn.end() :], letters, by_text)
        if found:
            return found
    found = _chosen(text, letters, by_text)
    if found is not None:
        return found or None
    opening = re.match(rf"\W*([{some}])[.):\s,]", text)
    if opening and not re.match(r"\W*A\s+[a-z]", text):
        return letters[opening[1]]
    order = "|".join(ORDER)
    place = re.findall(rf"\boption ({order})\b|\bthe ({order}) (?:one|option|choice|answer)\b", text, re.I)
    if place and (number := ORDER[(place[-1][0] or place[-1][1]).lower()]) < len(options):
        return options[number][0]
    return None


def _past_list(text: str, options: Sequence[tuple[str, str]]) -> str:
    """The text behind a list of the options that is said again with their texts, if there is one; it is no answer."""
    ends = dict[str, int]()
    judged = False
    for letter, words in options:
        m = re.search(rf"(?:^|\n|(?<=\s))\(?{re.escape(letter)}[.):]\s*{re.escape(words)}", text, re.I) if words else None
        if m:
            ends[letter] = m.end()
            judged = judged or re.match(r"[^\n]*?[–—-]+\s*(?:no|not|wrong)\b", text[m.end() :], re.I) is not None
    if len(ends) <= 2:
        return text
    rest = text[max(ends.values()) :]
    # Where a verdict stands behind each, that of the last one is passed over too.
    return rest.partition("\n")[2] if judged and "\n" in rest else rest


def _chosen(text: str, letters: Mapping[str, str], by_text: Mapping[str, str]) -> str | None:
    """The letter that a text chooses; "" where that is outside the options or one of several, None where nothing is said."""
    some = "".join(letters)
    named = r"(?:option\s+|choice\s+|statement\s+)?[\"'(\[*]*"
    capital, either = rf"{named}([{some}])(?![\w'’])", rf"{named}([{some}{some.lower()}])(?![\w'’])"
    told = list(re.finditer(rf"(?:{STATED}\s*|####\s*)(?:\$?\\?\w*\{{)?{either}", text, re.I))
    told += re.finditer(rf"\b(?:so|thus|therefore|final|hence)\b[^.\n]{{0,120}}?(?:\bis|:)\s*:?\s*{capital}[).:*]", text, re.I)
    if told:
        last = max(told, key=lambda m: m.end())
        second = re.match(rf"[)\]]?\s*(?:or|and|/)\s*[(]?([{some}])\b", text[last.end() : last.end() + 12])
        return "" if second and second[1] != last[1].upper() else letters[last[1].upper()]
    outside = re.search(rf"\b{CUE}{SAID}\s*[\"'(]*([A-Z])(?![\w'’])", text)
    if outside and outside[1] not in letters:
        return ""
    verbs = [m for m in re.finditer(CHOSEN + capital, text) if m[1] != "A" or not re.match(r"\s+[a-z]", text[m.end() :])]
    if verbs:
        return letters[verbs[-1][1]]
    mine = re.findall(rf"(?<![\w'’])([{some}])\)?\s+(?:is|would be)\s+(?:my|the|correct|right|best)\b(?! only)", text)
    if len(set(mine)) == 1:
        return letters[mine[0]]
    by_letter = _by_letter(text, letters)
    if by_letter:
        return by_letter
    return stated(text, by_text) or settled(text, mentions(text, by_text)) or closing(text, by_text)


def _by_letter(text: str, letters: Mapping[str, str]) -> str | None:
    """The only letter affirmed, the only one not excluded, the one that opens the reply or that is concluded."""
    some = "".join(letters)
    # A capital that stands alone is a letter, unless it is the article before a small word.
    marks = [
        Mention(letters[m[1] or m[2]], m.start(1 if m[1] else 2), m.end())
        for m in re.finditer(
            rf"(?:[Oo]ption|[Ss]tatement|[Cc]hoice)\s+([{some}])(?![\w'’])|(?<![\w'’])([{some}])(?![\w'’])", text
        )
        if m[2] != "A" or not re.match(r"\s+(?!or\b|and\b|nor\b|is\b)[a-z]", text[m.end() :])
    ]
    if not marks:
        return None
    gone = r"(?:[\s,]|and|[A-E]\b)*(?:can be|are|is) (?:ruled out|wrong|excluded)"
    excluded = {m.name for m in marks if denied(text, m) or re.match(gone, text[m.end : m.end + NEAR])}
    affirmed = list(dict.fromkeys(m.name for m in marks if m.name not in excluded))
    if len(affirmed) == 1:
        return affirmed[0]
    if not affirmed and len(excluded) == len(letters) - 1:
        return next(v for v in letters.values() if v not in excluded)
    if not affirmed:
        return None
    first = marks[0]
    opens = not text[: first.start].strip(" (*\"'") and re.match(r"[).:,\s]|$", text[first.end :]) is not None
    if opens and not hedged(text, marks):
        return first.name
    return settled(text, [m for m in marks if m.name in affirmed])


# One of some candidates, by name.


def candidate(reply: str, candidates: Sequence[str], question: str) -> str | None:
    """The candidate that a reply gives; None where it gives none."""
    text = own_words(reply)
    box = boxed(text)
    if box is not None:
        text = WRAPPED.sub(r"\1", box)
    names = {c: c for c in candidates}
    found = mentions(text, names)
    # What a question names is said again and is not what it asks for ("before the hallway it was in the garden").
    asks = re.match(r"\W*(?:where|who|what|which|when|how)\b(?!.*\bor\b)", question, re.I)
    known = {m.name for m in mentions(question, names)} if asks else set[str]()
    if known and any(m.name not in known for m in found):
        names = {n: c for n, c in names.items() if c not in known}
        found = mentions(text, names)
    end = _list_end(text, found, len(candidates))
    if end:
        return candidate(text[end:], candidates, question) if re.search(r"\w", text[end:]) else None
    bare = text.strip().strip(".!*\"'“”` ").lower()
    if bare in {c.lower() for c in candidates}:
        return next(c for c in candidates if c.lower() == bare)
    if {c.lower() for c in candidates} == {"yes", "no"}:
        return _yes_or_no(text, candidates)
    if not found:
        return _by_stem(text, candidates)
    told = stated(text, names)
    turned = any(t.end() <= found[-1].start for t in TURN.finditer(text))
    if told and not turned:
        return told
    only = settled(text, found) or told or _of_subject(text, names, question)
    if only:
        return only
    kept = [m for m in found if not denied(text, m)]
    if not kept or hedged(text, kept):
        return None
    opens = not re.search(r"\w", text[: kept[0].start]) and re.match(r"\W*(?:$|[.\n:(–-])", text[kept[0].end :])
    return kept[0].name if opens else closing(text, names) or kept[-1].name


def _list_end(text: str, found: Sequence[Mention], count: int) -> int:
    """Where a list of all candidates ends, one after the other; 0 where there is none."""
    for i in range(len(found) - count + 1):
        run = found[i : i + count]
        gaps = [text[a.end : b.start] for a, b in zip(run, run[1:], strict=False)]
        if count > 2 and len({m.name for m in run}) == count and all(len(g) <= 8 and not re.search(r"[.:]", g) for g in gaps):
            return run[-1].end
    return 0


def _yes_or_no(text: str, candidates: Sequence[str]) -> str | None:
    spelt = {c.lower(): c for c in candidates}
    if re.search(r"\byes and no\b|\byes or no\b|\beither way\b", text, re.I):
        return None
    told = re.findall(rf"\b{CUE}{SAID}\W*(yes|no)\b", text, re.I) + re.findall(
        r"(?:\bso|:|,|yet|—|-)\s+(yes|no)\W*$", text, re.I
    )
    first = re.match(r"\W*(?:well,?\s+)?(yes|no)\b(?!\s+\w+\s+(?:is|was|says))", text, re.I)
    loose = re.findall(r"(?<!\w)(yes|no)(?=\s*(?:[.,;!]|$|because|since))", text, re.I)
    found = told[-1] if told else first[1] if first else loose[-1] if loose else None
    return spelt[found.lower()] if found else None


def _by_stem(text: str, candidates: Sequence[str]) -> str | None:
    """The only candidate that a word of the text is of one stem with, as "contradicts" is with "contradiction"."""
    stems = {c: re.sub(r"(?:ion|ment|ed|ive|al|ing|ity|ly)$", "", c.lower()) for c in candidates if " " not in c and len(c) > 6}
    held = [c for c, stem in stems.items() if re.search(rf"\b{re.escape(stem)}\w{{0,4}}\b", text, re.I)]
    return held[0] if len(held) == 1 else None


def _of_subject(text: str, names: Mapping[str, str], question: str) -> str | None:
    """What is said in the last sentence about whom the question is about, where there are others."""
    about = set(re.findall(r"(?<!^)\b[A-Z]\w+", question))
    sentences = SENTENCE.split(text)
    ours = [s for s in sentences if about & set(re.findall(r"\w+", s)) and mentions(s, names)]
    return closing(ours[-1], names) if ours and len(sentences) > 1 else None


# Mathematics: what is boxed, stated, equated, or new.

UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
PARTS = {"half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10}
NUMBER = r"[-−+]?\$?\d+(?:,\d{3})*(?:\.\d+)?(?:\s*/\s*\d+)?\s?%?"
TERM = rf"(?:\\d?frac\s*(?:\{{[^{{}}]*\}}\s*\{{[^{{}}]*\}}|\d\d)|{NUMBER})"
ASIDE = re.compile(r"[(（](?=[^()（）]*(?:[A-Za-z]{2}|[\u4e00-\u9fff]|=))[^()（）\\$]*[)）]")
"""Words in parentheses, as after a result."""
UNSURE = re.compile(
    r"\b(?:don't know|do not know|cannot be (?:answered|determined|solved)|depends|either\b.{1,20}\bor)\b|不知道", re.I
)
CONCLUDES = re.compile(r"\b(?:so|thus|hence|therefore|that is|i\.e\.|in total|altogether)\b|所以|因此", re.I)


def value(reply: str, question: str) -> str | None:
    """The number, set, vector, formula or (in)equality that a reply gives; None where it gives none."""
    text = own_words(reply)
    box = boxed(text)
    if box is not None:
        return _tidy(box)
    if UNSURE.search(text):
        return None
    text = _spoken(text).replace("\\(", "$").replace("\\)", "$").replace("$$", "$").replace("\\$", "")
    whole = text.strip().rstrip(".")
    if not re.search(r"[A-Za-z]{2,}|[\u4e00-\u9fff]", re.sub(r"\\[a-zA-Z]+|\bor\b", "", whole)) and "\n" not in whole:
        return _side(ASIDE.sub("", whole).strip())
    told = re.finditer(rf"(?:\b{CUE}{SAID}|####|答案(?:是|：|:)?)\s*", text, re.I)
    values = [v for m in told if (v := _first(text[m.end() :])) is not None]
    if values:
        return values[-1]
    text = ASIDE.sub("", text)
    formulas = [f for f in re.findall(r"\$([^$]+)\$", text) if re.search(r"[\\^]|[a-z]\s*[=<>]", f)]
    if formulas:
        return _side(formulas[-1])
    equated = _equated(text, question)
    if equated is not None:
        return equated
    shapes = re.findall(r"\([-−\d.,\s]+,[-−\d.,\s]+\)|\\?\{[-−\d.,\s]+\\?\}|[a-z]\s*[<>≤≥=]\s*[-−±]?\s*[\d.]+", text)
    return _tidy(shapes[-1]) if shapes else _new(text, question)


def _equated(text: str, question: str) -> str | None:
    """What the last equation gives, unless words behind it go on to another number."""
    sums = list(re.finditer(r"[=＝≈]\s*([^=＝≈\n]*)", text))
    exact = [m for m in sums if m[0][0] != "≈"] or sums
    found = _first(exact[-1][1]) if exact else None
    if found is None:
        return None
    tail = text[exact[-1].end() - len(exact[-1][1]) :]
    later = [n for n in re.findall(NUMBER, tail) if compared(n) not in _given(question)]
    goes_on = later and re.search(r"[a-zA-Z]{3}", tail) and compared(later[-1]) != compared(found)
    return None if goes_on else found


def _new(text: str, question: str) -> str | None:
    """A number that the question does not give: of the last sentence that has one, behind its "so" if it has that."""
    given = _given(question)
    for sentence in reversed(SENTENCE.split(text)):
        for part in reversed(CONCLUDES.split(sentence)):
            fresh = [n for n in re.findall(NUMBER, part) if compared(n) not in given]
            if fresh:
                return _tidy(fresh[0])
    return None


def _given(question: str) -> set[str]:
    return {compared(n) for n in re.findall(NUMBER, question)}


def _side(text: str) -> str | None:
    """The side of an equation that is the value, where the other is a name or a sum."""
    text = re.split(r"\\in\b", text.strip().strip("$").strip())[-1].strip()
    if re.search(r"\bor\b|[<>≤≥]", text):
        return _tidy(text)
    exact = re.split(r"\\approx|≈", text)[0].split("=")
    return _tidy(exact[-1]) or _tidy(text)


def _first(text: str) -> str | None:
    """The first value of a text: a formula in dollars, a shape, a polynomial, or the first term of its line."""
    text = text.lstrip(" *:：\n")
    formula = re.match(r"\$([^$]+)\$", text)
    if formula:
        return _side(formula[1])
    for shape in (
        r"(?:[a-z]\s*(?:=|<|>|≤|≥)\s*)?(?:\([^()A-Za-z]*\)|\\?\{[^{}A-Za-z]*\\?\}|±\s*\d+)",
        r"[a-z]\s*[<>≤≥]\s*[-−]?[\d.]+",
        r"[-−]?\d*[a-z]\^?\{?\d*\}?(?:\s*[-+]\s*\d*[a-z]?(?:\^\d+)?)*(?=[\s.,]|$)",
    ):
        m = re.match(shape, text)
        if m and re.search(r"\d", m[0]):
            return _tidy(m[0])
    term = re.search(TERM, text.partition("\n")[0])
    return _tidy(term[0]) if term else None


def _spoken(text: str) -> str:
    """The text with numbers in digits where they are said in words."""
    small = {w: i for i, w in enumerate(UNITS)}
    tens = {w: 10 * (i + 2) for i, w in enumerate(TENS)}
    parts = "|".join(PARTS)
    text = re.sub(
        rf"\b(one|two|three)[ -]({parts})s?\b", lambda m: f"{small[m[1].lower()]}/{PARTS[m[2].lower()]}", text, flags=re.I
    )
    text = re.sub(r"\b(\d+) in (\d+)\b", r"\1/\2", text)
    word = "|".join([*sorted(small, key=len, reverse=True), *tens])

    def read(m: re.Match[str]) -> str:
        total = 0
        for w in re.findall(r"[a-z]+", m[0].lower()):
            total += small.get(w, 0) + tens.get(w, 0)
            total = max(1, total) * {"hundred": 100, "thousand": 1000}[w] if w in ("hundred", "thousand") else total
        return f"{'-' if m[0].lower().startswith(('minus', 'negative')) else ''}{total}"

    several = rf"\b(?:(?:minus|negative)\s+)?(?:{word})(?:[\s-]+(?:and\s+)?(?:{word}|hundred|thousand))*\b"
    return re.sub(several, read, text, flags=re.I)


def _tidy(text: str) -> str | None:
    return text.strip().strip("$").strip().rstrip(".,;。").strip() or None


def compared(text: str) -> str:
    """A value in the form in which values are compared: without box, dollars, units, commas and the like; without algebra."""
    box = boxed(text)
    text = (box if box is not None else text).strip().replace("−", "-").replace("±", "\\pm")
    text = re.sub(r"\\(?:left|right|!|,|;|:|displaystyle)", "", text)
    text = WRAPPED.sub(r" \1", text)
    text = re.sub(r"\\[dt]frac", r"\\frac", text)
    text = re.sub(r"\\frac\s*(\d)\s*(\d)(?!\d)", r"\\frac{\1}{\2}", text)
    text = re.sub(r"\\(?:%|\$)|[$%°]|\^\\circ|\^\{\\circ\}", "", text)
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text).strip()
    if not re.search(r"[\\^=]|\bor\b", text):
        text = re.sub(r"(?<=\d)\s*[A-Za-z²³/]{2,}(?:\s+[A-Za-z]+)*\.?$", "", text)
    text = re.sub(r"^(-?\d+)\s*/\s*(\d+)$", r"\\frac{\1}{\2}", text.strip())
    text = re.sub(r"\s+", "", text)
    text = re.sub(r"^[A-Za-z](?:\([A-Za-z]\))?'?=(?!.*=)|^[A-Za-z]\\in", "", text)
    text = re.sub(r"(\d)\.0+(?!\d)", r"\1", text)
    return text.rstrip(".").replace("\\{", "{").replace("\\}", "}").replace("\\infty", "∞")
