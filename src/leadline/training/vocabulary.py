"""minnow's tokenizer: a word is one piece, digits go in pairs, everything else falls back to letters and bytes.

A Unigram model in which all pieces score alike, so that the segmentation with the fewest pieces wins and a
known word is never broken. Decoding gives back exactly what was encoded. Knows nothing of models or tasks.
"""

from __future__ import annotations

import json
import re
import string
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors

BOS, EOS, PAD, UNK = "<bos>", "<eos>", "<pad>", "<unk>"
SPECIAL = (PAD, BOS, EOS, UNK)
"""Special pieces; a piece's place here is its id."""
SPACE = "\u2581"
UNIT = r" ?[0-9]{1,2}| ?[A-Za-z]+| ?[^A-Za-z0-9\s]|\s"
"""What text is cut into before pieces are looked up: digit pairs, words, signs, each with the space before it."""
_UNIT = re.compile(UNIT)


def units(text: str) -> list[str]:
    """The pieces that a text would have if every word were known."""
    return _UNIT.findall(text)


def build(texts: Iterable[str], *, words: Iterable[str] = (), least: int = 1) -> Tokenizer:
    """Make a tokenizer whose vocabulary covers the given texts.

    Args:
        texts: samples of what the model will read; a unit that `least` of them hold becomes a piece.
        words: words that are given a piece after a space whether they were seen or not.
        least: texts that must hold a unit.
    """
    seen = Counter(unit for text in texts for unit in set(units(text)))
    wanted = {unit for unit, count in seen.items() if count >= least} | {f" {word}" for w in words for word in w.split()}
    known = {unit.replace(" ", SPACE) for unit in wanted if unit.isascii()}
    fixed = [*string.ascii_letters, *string.digits, *string.punctuation, *(f"{n:02d}" for n in range(100))]
    known.update(fixed, (SPACE + f for f in fixed), [SPACE, "\n", "\t", "\r"])
    pieces = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), *sorted(known)]
    tokenizer = Tokenizer(models.Unigram([(piece, -1.0) for piece in pieces], unk_id=SPECIAL.index(UNK), byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(UNIT), "isolated"), pre_tokenizers.Metaspace(SPACE, prepend_scheme="never", split=False)]
    )
    tokenizer.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, SPECIAL.index(BOS))]
    )
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    return tokenizer


def save(tokenizer: Tokenizer, folder: Path, *, window: int) -> None:
    """Write tokenizer.json and tokenizer_config.json as transformers reads them; no chat template."""
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS,
        "eos_token": EOS,
        "pad_token": PAD,
        "unk_token": UNK,
        "add_bos_token": True,
        "clean_up_tokenization_spaces": False,
        "model_max_length": window,
        "padding_side": "right",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


class Encoder:
    """Looks units up in a dictionary: what the tokenizer gives, without its cost, for text that was meant for it."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Take the tokenizer that decides where a unit is not one piece."""
        self.tokenizer = tokenizer
        self.ids: dict[str, list[int]] = {}

    def __call__(self, text: str) -> list[int]:
        """Token ids without special tokens; `text` must start where a unit starts."""
        ids: list[int] = []
        for unit in _UNIT.findall(text):
            known = self.ids.get(unit)
            if known is None:
                known = self.ids[unit] = self.tokenizer.encode(unit, add_special_tokens=False).ids
            ids += known
        return ids
