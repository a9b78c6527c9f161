"""What several metrics are made of: normalising, token F1, ROUGE-L, similarity of lines.

Each follows a published scorer to the digit, as its docstring says. Knows nothing about metrics' names or files.
"""

from __future__ import annotations

import difflib
import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import Any

from leadline.nouns import UserError

CHINESE_PUNCTUATION = frozenset(
    "！？｡。＂＃＄％＆＇（）＊＋，－／：；＜＝＞＠［＼］＾＿｀｛｜｝～｟｠｢｣､、〃》「」『』【】〔〕〖〗〘〙〚〛〜〝〞〟〰〾〿–—‘’‛“”„‟…‧﹏."
)
PUNCTUATION = frozenset(string.punctuation)


def english(text: str) -> list[str]:
    """SQuAD's words: lower case, punctuation deleted, then articles, split at white space."""
    bare = "".join(c for c in text.lower() if c not in PUNCTUATION)
    return re.sub(r"\b(?:a|an|the)\b", " ", bare).split()


def bare_chinese(text: str) -> str:
    """Lower case without punctuation of either script and without white space."""
    return "".join(c for c in text.lower() if c not in PUNCTUATION and c not in CHINESE_PUNCTUATION and not c.isspace())


def chinese(text: str) -> list[str]:
    """Words as jieba cuts them, bare; words of punctuation alone are dropped."""
    return [word for word in map(bare_chinese, cut(text)) if word]


def cut(text: str) -> list[str]:
    """Chinese words by jieba (accurate mode).

    Raises:
        UserError: jieba is not installed.
    """
    return _jieba().lcut(text)


def _jieba() -> Any:
    try:
        # Its own warnings (an old pkg_resources, invalid escapes) are none of the user's business.
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import jieba
    except ImportError:
        raise UserError("Chinese metrics cut words with jieba, which is not installed: pip install jieba") from None
    import logging

    jieba.setLogLevel(logging.WARNING)
    return jieba


def f1(prediction: Sequence[str], truth: Sequence[str]) -> float:
    """F1 of two bags of tokens; 0 where they share none."""
    same = sum((Counter(prediction) & Counter(truth)).values())
    if not same:
        return 0.0
    precision, recall = same / len(prediction), same / len(truth)
    return 2 * precision * recall / (precision + recall)


def rouge_l(prediction: str, truth: str) -> float:
    """ROUGE-L F as PyPI `rouge` 1.0.1 computes it (that package is not kept up, so this is our own).

    Sentences are what full stops separate; case counts, nothing is stemmed. For each reference sentence the longest
    common subsequences with all predicted sentences are united, as sets of words over the whole reference; precision
    and recall divide by the number of different words. Where a text has no sentence the result is 0. The original
    raises on sentences of more than about a thousand words, which LongBench counts as 0; here they get their score.
    """
    recall, precision = rouge_l_shares(prediction, truth)
    # The original's guard against 0/0 is visible in the eighth digit.
    return 2 * precision * recall / (precision + recall + 1e-8)


def rouge_l_shares(prediction: str, truth: str) -> tuple[float, float]:
    """Recall and precision of `rouge_l`."""
    said, meant = _sentences(prediction), _sentences(truth)
    if not said or not meant:
        return 0.0, 0.0
    union = {word for reference in meant for sentence in said for word in _common(reference, sentence)}
    recall = len(union) / len({word for sentence in meant for word in sentence})
    return recall, len(union) / len({word for sentence in said for word in sentence})


def rouge_n_recall(prediction: str, truth: str, n: int) -> float:
    """ROUGE-N recall of PyPI `rouge` 1.0.1: share of the reference's different n-grams, across full stops, that were said."""
    said, meant = (_ngrams([w for sentence in _sentences(text) for w in sentence], n) for text in (prediction, truth))
    return len(said & meant) / len(meant) if meant else 0.0


def _ngrams(words: Sequence[str], n: int) -> set[tuple[str, ...]]:
    return set(zip(*(words[i:] for i in range(n)), strict=False))


def _sentences(text: str) -> list[list[str]]:
    # A sentence of blanks alone is one empty word, as there.
    return [" ".join(part.split()).split(" ") for part in text.split(".") if part]


def _common(x: list[str], y: list[str]) -> list[str]:
    """The longest common subsequence that the original's way back through the table finds (ties go to shorter y)."""
    rows = [[0] * (len(y) + 1)]
    for word in x:
        above, row = rows[-1], [0]
        for j, other in enumerate(y):
            row.append(above[j] + 1 if word == other else max(above[j + 1], row[j]))
        rows.append(row)
    found, i, j = [], len(x), len(y)
    while i and j:
        if x[i - 1] == y[j - 1]:
            found.append(x[i - 1])
            i, j = i - 1, j - 1
        elif rows[i - 1][j] > rows[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return found


def ratio_difflib(a: str, b: str) -> float:
    """Fuzzywuzzy's ratio without python-Levenshtein: difflib's matching blocks, rounded to a whole percent."""
    return round(100 * difflib.SequenceMatcher(None, a, b).ratio()) / 100 if a and b else 0.0


def ratio_levenshtein(a: str, b: str) -> float:
    """Fuzzywuzzy's ratio with python-Levenshtein: 2 x longest common subsequence over both lengths, in whole percent."""
    if not a or not b:
        return 0.0
    row = [0] * (len(b) + 1)
    for c in a:
        corner = 0
        for j, d in enumerate(b):
            corner, row[j + 1] = row[j + 1], corner + 1 if c == d else max(row[j + 1], row[j])
    return round(100 * 2 * row[-1] / (len(a) + len(b))) / 100
