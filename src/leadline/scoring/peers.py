"""The scorers of published benchmarks, to the digit: LongBench, LV-Eval, RULER, BABILong, InfiniteBench.

Each function takes (prediction, answers, and what else the row holds as keywords) and gives 0 to 1; the peers print
them times 100. Quirks are kept on purpose, for their numbers must come out; the invented tasks score otherwise.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from leadline.nouns import UserError
from leadline.scoring.rouge_scores import rouge_lsum
from leadline.scoring.words import (
    bare_chinese,
    chinese,
    cut,
    english,
    f1,
    ratio_difflib,
    ratio_levenshtein,
    rouge_l,
)

Metric = Callable[..., float]


def _best(one: Callable[[str, str], float], text: str) -> Metric:
    """A metric that takes the best over the accepted answers."""

    def metric(prediction: str, answers: Sequence[str], **_: Any) -> float:
        return max((float(one(prediction, answer)) for answer in answers), default=0.0)

    metric.__doc__ = text
    return metric


# LongBench (THUDM/LongBench, metrics.py)


def longbench_classification(prediction: str, answers: Sequence[str], *, classes: Sequence[str] = (), **_: Any) -> float:
    """One over the class names found in the reply, where the right one is among them (case counts).

    Names inside the right name are meant to be dropped, but the original deletes from the list it walks, so that of two
    neighbours the second survives; so it does here.
    """
    if not classes:
        raise UserError("longbench/classification needs the class names of each row: give 'classes' (LongBench: 'all_classes')")
    best = 0.0
    for truth in answers:
        found = [name for name in classes if name in prediction]
        i = 0
        while i < len(found):
            if found[i] in truth and found[i] != truth:
                found.remove(found[i])
            i += 1
        best = max(best, 1 / len(found) if truth in found else 0.0)
    return best


def _share_of_numbers(prediction: str, wanted: str) -> float:
    numbers = re.findall(r"\d+", prediction)
    return numbers.count(wanted) / len(numbers) if numbers else 0.0


def _numbered(word: str) -> Callable[[str, str], float]:
    def one(prediction: str, truth: str) -> float:
        m = re.search(rf"{word}\s?(\d+)", truth)
        if m is None:
            raise UserError(f"the accepted answer must be as in '{word} 7', got {truth!r}")
        return _share_of_numbers(prediction, m[1])

    return one


def _code(ratio: Callable[[str, str], float]) -> Callable[[str, str], float]:
    def one(prediction: str, truth: str) -> float:
        lines = prediction.lstrip("\n").split("\n")
        code = next((line for line in lines if not any(mark in line for mark in ("`", "#", "//"))), "")
        return ratio(code, truth)

    return one


def _rouge_chinese(prediction: str, truth: str) -> float:
    return rouge_l(" ".join(cut(prediction)), " ".join(cut(truth)))


# LV-Eval (infinigence/LVEval, metrics.py); the lists of words that do not count are the benchmark's (MIT).

LVEVAL_ENGLISH = frozenset(
    "and to of in her was with for it from is that his he by she they or at because be on are their what as had were about "
    "being this who but have has when which does".split()
)
LVEVAL_CHINESE = frozenset(
    (
        "的 和 是 等 在 年 可以 为 与 ‰ 了 或 一种 月 c 至 日 有 进行 于 不 中 × "
        "根据 小 由 亩 也 要 指 法 会 元 主要 以及 通过 首先 对 然后 号 以 所 后 丁 "
        "包括 无 将 用 能 形 方面 因素 位于 而 从 到 一定 用于 但 使用 让 具有 并 亿元 "
        "万元 上 类 基于 才 来 地 片 其他 个 或者 变得 时 给 你 使 条 受 已经 带 度"
    ).split()
)


def _keyword_recall(prediction: Sequence[str], keyword: Sequence[str], ignored: frozenset[str]) -> float:
    common = Counter(prediction) & Counter(keyword)
    return sum(count for word, count in common.items() if word not in ignored) / len(keyword) if keyword else 1.0


def lveval_qa_f1(prediction: str, answers: Sequence[str], *, keyword: str | None = None, **_: Any) -> float:
    """Token F1 with the first answer; 0 where under a fifth of the row's keyword was said."""
    said = english(prediction)
    if keyword and _keyword_recall(said, english(keyword), LVEVAL_ENGLISH) < 0.2:
        return 0.0
    return f1(said, english(answers[0]))


def lveval_qa_f1_zh(prediction: str, answers: Sequence[str], *, keyword: str | None = None, **_: Any) -> float:
    """The same on Chinese words; under two fifths of the keyword (or the answer, where a row has none) give 0."""
    said = chinese(prediction)
    if _keyword_recall(said, chinese(keyword or answers[0]), LVEVAL_CHINESE) < 0.4:
        return 0.0
    return f1(said, chinese(answers[0]))


def lveval_rouge_zh(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """ROUGE-L with the first answer on Chinese words, without those that do not count."""

    def words(text: str) -> str:
        bare = map(bare_chinese, cut(" ".join(cut(text))))
        return " ".join(word for word in bare if word not in LVEVAL_CHINESE)

    return rouge_l(words(prediction), words(answers[0]))


# RULER (NVIDIA/RULER, scripts/eval/synthetic/constants.py and evaluate.py)


def _ruler_hits(prediction: str, answers: Sequence[str]) -> list[bool]:
    # Control characters become line breaks before matching, as its evaluate.py does.
    reply = re.sub(r"[\x00-\x1f]", "\n", prediction).strip().lower()
    return [answer.lower() in reply for answer in answers]


def ruler_all(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """Share of the references found in the reply as substrings, in any case (needles, variables, words)."""
    return sum(_ruler_hits(prediction, answers)) / len(answers)


def ruler_part(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """1 where any reference is found in the reply as a substring, in any case (questions)."""
    return float(any(_ruler_hits(prediction, answers)))


# BABILong (booydar/babilong, babilong/metrics.py)

ROOMS = "bathroom bedroom garden hallway kitchen office"
BABILONG_LABELS: dict[str, tuple[str, ...]] = {
    name: tuple(labels.split())
    for name, labels in {
        **dict.fromkeys(("qa1", "qa2", "qa3", "qa4", "qa11", "qa12", "qa13"), ROOMS),
        "qa5": "Bill Fred Jeff Mary apple football milk",
        **dict.fromkeys(("qa6", "qa9", "qa17", "qa18"), "no yes"),
        "qa7": "none one three two",
        "qa8": "apple football milk nothing",
        "qa10": "maybe no yes",
        "qa14": "bedroom cinema kitchen office park school",
        "qa15": "cat mouse sheep wolf",
        "qa16": "gray green white yellow",
        "qa19": "e,e e,n e,s n,e n,n n,w s,e s,s s,w w,n w,s w,w",
        "qa20": "bedroom bored garden hungry kitchen thirsty tired",
    }.items()
}
"""The labels that a reply is searched for, by task."""


def babilong(task: str, *, peer: bool = True) -> Metric:
    """BABILong's rule for one task: of its labels not in the question, the reply must hold the target's and no other.

    Args:
        task: qa1 to qa20.
        peer: labels as substrings, as released ("no" in "know"); False: as whole words.
    """
    labels = [label.lower() for label in BABILONG_LABELS[task]]

    def holds(text: str, label: str) -> bool:
        return label in text if peer else re.search(rf"(?<!\w){re.escape(label)}(?!\w)", text) is not None

    def metric(prediction: str, answers: Sequence[str], *, question: str = "", **_: Any) -> float:
        reply = prediction.lower()
        for end in (".", "<context>", "<example>"):
            reply = reply.split(end)[0]
        found = {label for label in labels if holds(reply, label) and not holds(question.lower(), label)}
        for answer in answers:
            target = answer.lower()
            # A list of labels; the pairs of directions of qa19 are single labels with a comma.
            wanted = set(target.split(",")) if "," in target and len(target) > 3 else {target}
            if found == wanted:
                return 1.0
        return 0.0

    metric.__doc__ = (
        f"BABILong {task}: exactly the target's label in the first sentence, {'substrings' if peer else 'whole words'}."
    )
    return metric


# InfiniteBench (OpenBMB/InfiniteBench, src/compute_scores.py)


def _clear(text: str, marks: Sequence[str]) -> str:
    for mark in marks:
        text = text.replace(mark, " ")
    return text


def infinite_digits(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """1 where the first run of digits is the answer."""
    m = re.search("[0-9]+", prediction)
    return float(bool(m) and m[0] in answers) if m else 0.0


def infinite_kv(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """1 where the answer is a word of the reply after punctuation became blanks."""
    words = _clear(prediction, "\n:\"'.,?!{}").split()
    return float(any(answer in words for answer in answers))


def infinite_dialogue(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """1 where the first answer is a word of the upper-cased reply; a name of two words can never be."""
    return float(answers[0] in _clear(prediction, "\n:\"'.,?!{}").upper().split())


def infinite_choice(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """The first letter where it is A to D, else what follows "answer is" and the like, else the first such word."""
    if prediction and prediction[0] in "ABCD":
        return float(prediction[0] in answers)
    text = re.sub(" +", " ", _clear(prediction, "\n\"'.,?!{}"))
    for lead in ("answer is:", "answer:", "answer is", "option is"):
        if (at := text.find(lead)) >= 0:
            return float(any(text[at + len(lead) + 1 :].startswith(answer) for answer in answers))
    # "ABCD" is searched as text there, so "AB" would do too.
    word = next((word for word in text.split() if word in "ABCD"), "")
    return float(word in answers)


def infinite_debug(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """Answers = (function's name, letter): the reply begins "B." or "B:", or they follow "answer is:" and the like."""
    if len(answers) < 2:
        raise UserError("infinitebench/code-debug needs two answers a row: the function's name and its letter")
    name, letter = answers[0], answers[1]
    if prediction[:2] in (f"{letter}.", f"{letter}:"):
        return 1.0
    text = re.sub(" +", " ", _clear(prediction.strip(), ("\n", "`", "'", '"', "-", "*", "Option", "option")))
    for lead in ("answer is:", "is:", "answer:"):
        if (at := text.find(lead)) >= 0:
            return float(text[at + len(lead) + 1 :].startswith((letter, name)))
    return 0.0


def infinite_run(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """1 where the last word, read as a whole number, is the answer."""
    words = _clear(prediction, "\n.`'\":").split()
    return float(bool(words) and any(_int(words[-1]) == int(answer) for answer in answers))


def _int(text: str) -> int | None:
    # What Python's int() reads, signs and underscores too, for the peer asks it.
    return int(text) if re.fullmatch(r"[-+]?\d+(?:_\d+)*", text) else None


def infinite_find(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """1 where the first number (signs ignored) is the answer; a decimal for a whole answer is wrong (the peer raises)."""
    m = re.search(r"\d+\.\d+|\d+", prediction)
    if m is None:
        return 0.0
    whole = re.fullmatch(r"[-+]?\d+", answers[0]) is not None
    if whole:
        return float("." not in m[0] and int(m[0]) == int(answers[0]))
    return float(float(m[0]) == float(answers[0]))


def infinite_calc(prediction: str, answers: Sequence[str], *, model: str = "", **_: Any) -> float:
    """Share of the list of results that is right from the start up to the first error; the row's model "gpt4" repeats one."""
    numbers = [int(part) for part in re.findall("[0-9]+", prediction)]
    if model == "gpt4":
        numbers = numbers[1:]
    right = 0
    for said, wanted in zip(numbers, answers, strict=False):
        if said != int(wanted):
            break
        right += 1
    return right / len(answers)


METRICS: dict[str, Metric] = {
    "longbench/qa-f1": _best(lambda p, t: f1(english(p), english(t)), "Token F1 after SQuAD's normalising, best over answers."),
    "longbench/qa-f1-zh": _best(lambda p, t: f1(chinese(p), chinese(t)), "Token F1 on words cut by jieba, best over answers."),
    "longbench/rouge": _best(rouge_l, "ROUGE-L F of PyPI rouge 1.0.1, best over answers."),
    "longbench/rouge-zh": _best(_rouge_chinese, "ROUGE-L F on words cut by jieba, best over answers."),
    "longbench/classification": longbench_classification,
    "longbench/retrieval": _best(_numbered("Paragraph"), "Share of all numbers in the reply that are the paragraph's."),
    "longbench/retrieval-zh": _best(_numbered("段落"), "Share of all numbers in the reply that are the paragraph's (段落7)."),
    "longbench/count": _best(_share_of_numbers, "Share of all numbers in the reply that are the answer."),
    "longbench/code-sim": _best(
        _code(ratio_difflib), "Similarity of the first line of code; fuzzywuzzy as the benchmark installs it, on difflib."
    ),
    "longbench/code-sim-levenshtein": _best(
        _code(ratio_levenshtein), "The same where python-Levenshtein is installed too, which changes fuzzywuzzy's ratio."
    ),
    "lveval/qa-f1": lveval_qa_f1,
    "lveval/qa-f1-zh": lveval_qa_f1_zh,
    "lveval/rouge-zh": lveval_rouge_zh,
    "ruler/string-match-all": ruler_all,
    "ruler/string-match-part": ruler_part,
    **{f"babilong/{task}": babilong(task) for task in BABILONG_LABELS},
    **{f"babilong/{task}-words": babilong(task, peer=False) for task in BABILONG_LABELS},
    "infinitebench/passkey": infinite_digits,
    "infinitebench/number-string": infinite_digits,
    "infinitebench/kv-retrieval": infinite_kv,
    "infinitebench/longdialogue-qa-eng": infinite_dialogue,
    "infinitebench/longbook-choice-eng": infinite_choice,
    "infinitebench/longbook-qa-eng": _best(lambda p, t: f1(english(p), english(t)), "Token F1 after SQuAD's normalising."),
    "infinitebench/longbook-sum-eng": _best(rouge_lsum, "ROUGE-Lsum of rouge_score, sentences being lines."),
    "infinitebench/longbook-qa-chn": _best(lambda p, t: f1(bare_chinese(p), bare_chinese(t)), "F1 over single characters."),
    "infinitebench/math-find": infinite_find,
    "infinitebench/math-calc": infinite_calc,
    "infinitebench/code-run": infinite_run,
    "infinitebench/code-debug": infinite_debug,
}
"""By the name that `leadline score --metric` takes."""
