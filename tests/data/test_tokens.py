"""Tokenizers and templates read as transformers reads them."""

import json
from datetime import datetime

import numpy as np
import pytest
import tokenizers

from leadline.data import prose
from leadline.data.tokens import load_tokenizer, meeting
from leadline.nouns import UserError

USER = [{"role": "user", "content": "  How deep?\n\nTell <b>me</b> 'now'. "}]
TALK = [USER[0], {"role": "assistant", "content": "Nine."}, {"role": "user", "content": "漢字 and more 😀"}]
SYSTEM = [{"role": "system", "content": "Be brief."}, *TALK]
FAMILIES = ("bytes", "pieces", "unigram", "merges")


@pytest.fixture(scope="module")
def reference(tokenizer_folder):
    transformers = pytest.importorskip("transformers")
    return lambda name: transformers.PreTrainedTokenizerFast.from_pretrained(tokenizer_folder / name)


@pytest.mark.parametrize("name", ["bytes-chatml", "bytes-headers", "unigram-brackets"])
@pytest.mark.parametrize("messages", [USER, TALK, SYSTEM], ids=["user", "talk", "system"])
def test_render_equals_apply_chat_template(tokenizer_of, reference, name, messages):
    ours, theirs = tokenizer_of(name), reference(name)
    text = theirs.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert ours.render(messages) == text
    assert ours.render(messages, "It is") == text + "It is"
    assert ours.ids(text) == theirs(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("family", FAMILIES)
def test_ids_equal_what_transformers_reads(tokenizer_of, reference, family):
    ours, theirs = tokenizer_of(f"{family}-plain"), reference(f"{family}-plain")
    for text in ("Hello there.", "", " a\n\nb  c\t", "«Ünïcödé» 漢字 😀 x", " ".join(prose.sentences(200))):
        read = theirs(text, truncation=False, padding=False)["input_ids"]
        assert ours.ids(text) == read
        assert ours.count(text) + ours.special == len(read)


def test_template_refusals_are_the_users_to_know(tokenizer_of):
    with pytest.raises(UserError, match="only user and assistant"):
        tokenizer_of("bytes-brackets").render([*USER, {"role": "tool", "content": "x"}])


def test_no_template_joins_contents(tokenizer_of):
    tok = tokenizer_of("bytes-plain")
    assert tok.render(TALK[:2]) == TALK[0]["content"] + "\nNine."
    assert tok.render([{"role": "user", "content": "Q"}], "A") == "Q\nA"


def test_truncation_and_padding_of_the_file_are_dropped(tokenizer_folder):
    spec = json.loads((tokenizer_folder / "bytes-plain" / "tokenizer.json").read_text())
    assert spec["truncation"] and spec["padding"]
    tok = load_tokenizer(str(tokenizer_folder / "bytes-plain" / "tokenizer.json"))
    text = " ".join(prose.sentences(500))
    assert tok.count(text) > 5000 and len(tok.ids("a")) == 2


@pytest.mark.parametrize("family", FAMILIES)
def test_chunked_starts_equal_whole(tokenizer_of, family):
    tok = tokenizer_of(f"{family}-plain")
    text = " ".join(prose.sentences(2500, 5)) + "\n\n" + "\n".join(prose.records(600, 5)) + " 漢字😀 ünïcödé" * 50
    ids, starts = tok.encode(text)
    assert len(ids) == len(starts) and (np.diff(starts) >= 0).all()
    assert np.array_equal(tok.long_starts(text), starts)


def test_identity_follows_content(tokenizer_of, tokenizer_folder):
    same = load_tokenizer(str(tokenizer_folder / "bytes-plain"))
    assert same.identity == tokenizer_of("bytes-plain").identity
    assert len({tokenizer_of(n).identity for n in ("bytes-plain", "bytes-chatml", "unigram-plain")}) == 3


def test_template_lists_name_a_default(tokenizer_folder, tmp_path):
    (tmp_path / "tokenizer.json").write_text((tokenizer_folder / "bytes-plain" / "tokenizer.json").read_text())
    named = [{"name": "tools", "template": "no"}, {"name": "default", "template": "<{{ messages[0].content }}>"}]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": named}))
    assert load_tokenizer(str(tmp_path)).render([{"role": "user", "content": "x"}]) == "<x>"


def test_special_tokens_of_the_config_are_added(tokenizer_folder, tmp_path):
    (tmp_path / "tokenizer.json").write_text((tokenizer_folder / "bytes-plain" / "tokenizer.json").read_text())
    added = {"9000": {"content": "<|new|>", "special": True, "lstrip": False, "rstrip": False, "normalized": False}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": added}))
    assert load_tokenizer(str(tmp_path)).count("<|new|>") == 1


def test_sandbox_refuses_what_reaches_out(tokenizer_folder, tmp_path):
    (tmp_path / "tokenizer.json").write_text((tokenizer_folder / "bytes-plain" / "tokenizer.json").read_text())
    (tmp_path / "chat_template.jinja").write_text("{{ ''.__class__.__mro__[1].__subclasses__() }}")
    with pytest.raises(UserError, match="does not accept"):
        load_tokenizer(str(tmp_path)).render(USER)
    (tmp_path / "chat_template.jinja").write_text("{% if %}")
    with pytest.raises(UserError, match="cannot be read"):
        load_tokenizer(str(tmp_path)).render(USER)


def test_wrong_names_say_what_to_give(tmp_path, monkeypatch):
    for spec in ("nothing-here", "./missing", "/missing/tokenizer.json"):
        with pytest.raises(UserError, match="owner/name"):
            load_tokenizer(spec)
    with pytest.raises(UserError, match="no tokenizer.json"):
        load_tokenizer(str(tmp_path))
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match="not a tokenizer.json"):
        load_tokenizer(str(tmp_path))
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    def offline(*args, **kwargs):
        raise LocalEntryNotFoundError("no connection")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(UserError, match="could not be fetched"):
        load_tokenizer("owner/name")


def test_hub_id_reads_only_the_tokenizer(tokenizer_folder, monkeypatch):
    import huggingface_hub

    asked = {}

    def fetch(name, **how):
        asked.update(how, name=name)
        return str(tokenizer_folder / "bytes-chatml")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    assert load_tokenizer("owner/name@v1").template is not None
    assert asked["name"] == "owner/name" and asked["revision"] == "v1"
    assert not any("safetensors" in p for p in asked["allow_patterns"])


def test_meeting_is_the_first_common_border():
    left, right = np.array([0, 3, 5, 9]), np.array([0, 2, 5, 9])
    assert meeting(left, right, 1, 9) == 5 and meeting(left, right, 6, 8) is None


def test_minnow_is_found():
    tok = load_tokenizer("minnow")
    assert isinstance(tok.core, tokenizers.Tokenizer) and tok.count("The code of amber falcon is 482193.") > 5


def test_the_day_can_be_fixed(tokenizer_folder):
    tok = load_tokenizer(str(tokenizer_folder / "bytes-headers"), today=datetime(1902, 1, 1))
    assert "Today: 19\n" in tok.render(USER)
