"""SCBench's scorers (arXiv:2412.10319): ROUGE-Lsum, the nearest function by BLEU, and the peer's own quirks by name.

microsoft/MInference (MIT), folder scbench, was read at fb56c91 for what its `compute_scores.py` and `repo_qa_utils.py`
compute. BLEU is NLTK's sentence BLEU with smoothing 4, ROUGE-Lsum that of the `rouge_score` package without its stemmer, which
the peer reaches through `evaluate`; both are written anew. The peer finds functions with tree-sitter: here Python's own parser
finds those of Python, and a signature with its braces those of the others. Metrics take (prediction, answers).
"""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from leadline.scoring.peers import Metric
from leadline.scoring.rouge_scores import rouge_lsum
from leadline.scoring.words import bare_chinese, f1

NEAR = 0.8
"""Least BLEU at which a function counts as repeated."""


def bleu(said: Sequence[str], meant: Sequence[str]) -> float:
    """Sentence BLEU of up to four words; orders without a match count as ln(length) / (5 * 2 ** rank) of one."""
    if not said:
        return 0.0
    logs, missing = [], 0
    for n in range(1, 5):
        grams, wanted = (Counter(zip(*(words[i:] for i in range(n)), strict=False)) for words in (said, meant))
        same, total = (grams & wanted).total(), max(1, grams.total())
        if n == 1 and not same:
            return 0.0
        if not same and len(said) > 1:
            missing += 1
            logs.append(math.log(math.log(len(said)) / (5 * 2**missing) / total))
        elif same:
            logs.append(math.log(same / total))
    short = 1.0 if len(said) > len(meant) else math.exp(1 - len(meant) / len(said))
    return short * math.exp(math.fsum(logs) / 4)


def function_bleu(said: str, meant: str) -> float:
    """BLEU of two functions, their words parted by white space."""
    return bleu(re.split(r"\s+", said.strip()), re.split(r"\s+", meant.strip()))


def nearest(reply: str, functions: Mapping[str, str], language: str) -> tuple[str, float]:
    """Which of some functions a reply repeats: its name, '' for none, and how near it is.

    Args:
        reply: as the model wrote it.
        functions: text by name; of equals the first counts.
        language: python, java, typescript, rust, cpp or go.
    """
    said, best = written(reply, language), ("", 0.0)
    for name, text in functions.items():
        if (near := function_bleu(said, text)) > best[1]:
            best = (name, near)
    return best


def written(reply: str, language: str) -> str:
    """The first function in the reply's code blocks, else the first block; without blocks the reply itself."""
    reply = reply.strip()
    blocks = re.findall(r"^```(?:\w+)?\s*\n(.*?)(?=^```)```", reply, re.DOTALL | re.MULTILINE)
    found = (function for block in blocks if (function := first_function(block, language)))
    return next(found, blocks[0] if blocks else reply)


_NAME = r"[A-Za-z_]\w*"
_TYPE = rf"(?!return\b|new\b|else\b|throw\b|if\b|for\b|while\b|switch\b){_NAME}[\w:<>\[\].,*& ]*[\s*&\]>]+"
_BEGIN = r"(?:^|[{};]|>\s*\n)\s*"
_SIGNATURES = {
    "java": rf"{_BEGIN}(?P<start>(?:@\w+(?:\([^)]*\))?\s+)*"
    rf"(?:(?:public|private|protected|static|final|synchronized|default)\s+)*(?:<[^(]+>\s+)?{_TYPE}{_NAME}\s*)\(",
    "typescript": rf"(?P<start>(?:async\s+)?function\s*\*?\s*{_NAME}\s*(?:<[^(]*>)?\s*)\(",
    "rust": rf"(?P<start>(?:pub(?:\([^)]*\))?\s+)?(?:(?:async|const|unsafe|extern(?:\s+\"[^\"]*\")?)\s+)*"
    rf"fn\s+{_NAME}\s*(?:<[^(]*>)?)\(",
    "cpp": rf"{_BEGIN}(?P<start>(?:(?:static|inline|constexpr|virtual|explicit)\s+)*{_TYPE}{_NAME}\s*)\(",
    "go": rf"(?P<start>func\s+{_NAME}\s*(?:\[[^\]]*\])?)\(",
}
_STRINGS = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'|`[^`]*`|//[^\n]*|/\*.*?\*/', re.S)
_TYPED = re.compile(r"(?:\bstruct|\binterface|[:|&=,<])\s*$")
"""Stands before a brace that opens a type."""


def first_function(code: str, language: str) -> str:
    """The first function of some code as it stands there, '' where there is none."""
    if language == "python":
        return _first_python(code)
    # Brackets in strings and comments are none.
    bare = _STRINGS.sub(lambda m: " " * len(m[0]), code)
    for found in re.finditer(_SIGNATURES[language], bare, re.M) if language in _SIGNATURES else ():
        at = _closed(bare, found.end() - 1)
        while 0 < at < len(bare) and bare[at] not in ";=":
            if bare[at] == "{" and not _TYPED.search(bare[found.end() : at]):
                end = _closed(bare, at)
                return code[found.start("start") : end] if end else ""
            at = _closed(bare, at) if bare[at] in "({[" else at + 1
    return ""


def _closed(code: str, at: int) -> int:
    """Behind the bracket that closes the one at a place; 0 where none does."""
    depth = 0
    for i in range(at, len(code)):
        depth += (code[i] in "({[") - (code[i] in ")}]")
        if not depth:
            return i + 1
    return 0


def _first_python(code: str) -> str:
    try:
        nodes = [n for n in ast.walk(ast.parse(code)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    except (SyntaxError, ValueError):
        found = re.search(r"^([ \t]*)((?:async[ \t]+)?def[ \t].*(?:\n(?:\1[ \t]+.*|[ \t]*))*)", code, re.M)
        return found[2].rstrip() if found else ""
    if not nodes:
        return ""
    first = min(nodes, key=lambda n: (n.lineno, n.col_offset))
    lines = code.splitlines(keepends=True)[first.lineno - 1 : first.end_lineno]
    lines[-1] = lines[-1].encode()[: first.end_col_offset].decode()
    lines[0] = lines[0].encode()[first.col_offset :].decode() if len(lines) > 1 else lines[0][first.col_offset :]
    return "".join(lines)


def contained(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """1 where any answer stands in the reply as it is written."""
    return float(any(a in prediction for a in answers))


def contained_any_case(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """1 where any answer stands in the reply, in any case (English questions)."""
    return float(any(a.upper() in prediction.strip().upper() for a in answers))


def any_character(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """1 where any character of the answers stands in the reply: the peer walks a plain string (many shots)."""
    return contained_any_case(prediction, list("".join(answers)))


def variables(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """Share of the variables that stand in the reply, in any case, to two digits."""
    return round(sum(a.lower() in prediction.lower() for a in answers) / len(answers), 2)


def first_number(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """1 where the first number of the reply is the answer; a decimal one is cut where the answer is whole."""
    found = re.search(r"\d+\.\d+|\d+", prediction)
    if found is None:
        return 0.0
    wanted = str(answers[0])
    return float(int(float(found[0])) == int(wanted) if "." not in wanted else float(found[0]) == float(wanted))


def first_digits(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """1 where the first run of digits is the answer (pass keys)."""
    found = re.search("[0-9]+", prediction)
    return float(found is not None and found[0] == answers[0])


def choice(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """The first character where it is a capital A to D, else all of the reply, else what follows "answer is" and the like."""
    text = prediction.strip()
    if not text:
        return 0.0
    if text[0] in "ABCD":
        return float(text[0] in answers)
    if text in answers:
        return 1.0
    text = re.sub(" +", " ", re.sub(r"""[\n"'.,?!{}]""", " ", text))
    for prefix in ("answer is:", "answer:", "answer is", "option is"):
        if (at := text.find(prefix)) >= 0:
            return float(any(text[at + len(prefix) + 1 :].startswith(a) for a in answers))
    word = next((w for w in text.split() if w in "ABCD"), "")
    return float(word in answers)


def chinese(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """F1 over single characters, best over answers."""
    return max((f1(bare_chinese(prediction), bare_chinese(a)) for a in answers), default=0.0)


def chinese_characters(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """The same against each single character of the answers: the peer walks a plain string."""
    return chinese(prediction, list("".join(answers)))


def summary(prediction: str, answers: Sequence[str], **_: Any) -> float:
    """ROUGE-Lsum, best over answers."""
    return max((rouge_lsum(prediction, a) for a in answers), default=0.0)


METRICS: dict[str, Metric] = {
    "scbench/kv": contained,
    "scbench/vt": variables,
    "scbench/mf": first_number,
    "scbench/passkey": first_digits,
    "scbench/choice-eng": choice,
    "scbench/qa-eng": contained_any_case,
    "scbench/qa-chn": chinese,
    "scbench/qa-chn-characters": chinese_characters,
    "scbench/many-shot": any_character,
    "scbench/summary": summary,
}
"""By the name that `leadline score --metric` takes."""
