"""minnow's tokenizer: nothing is lost, a known word is one piece, digits go in pairs."""

import json

import pytest

from leadline.training.vocabulary import PAD, SPECIAL, UNK, Encoder, build, save

TEXT = "The code of amber falcon is 482193.\nFind it: {key}"


@pytest.fixture(scope="module")
def tokenizer():
    return build([TEXT], words=["lantern"])


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "  two  spaces\n\n\ttab\r\nend ",
        "héllo wörld 漢字 😀",
        json.dumps({"a": [1, 23.5, None], "é": "\\"}),
        "12345678 9",
        "¡un_seen-word!",
    ],
)
def test_round_trip(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_pieces(tokenizer):
    tokens = tokenizer.encode("The code of amber falcon is 482193.\nfalcon lantern 7").tokens
    assert tokens[:12] == ["<bos>", "The", "▁code", "▁of", "▁amber", "▁falcon", "▁is", "▁48", "21", "93", ".", "\n"]
    assert tokens[-2:] == ["▁lantern", "▁7"]


@pytest.mark.parametrize("text", [TEXT, " lantern 漢 482193", "nothing known here, 5 or 123!\n\nx"])
def test_encoder_is_the_tokenizer(tokenizer, text):
    assert Encoder(tokenizer)(text) == tokenizer.encode(text, add_special_tokens=False).ids


def test_transformers_reads_it(tokenizer, tmp_path):
    transformers = pytest.importorskip("transformers")
    save(tokenizer, tmp_path, window=512)
    read = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert read(TEXT)["input_ids"] == tokenizer.encode(TEXT).ids
    assert (read.pad_token, read.unk_token, read.chat_template) == (PAD, UNK, None)
    assert read.pad_token_id == SPECIAL.index(PAD)
