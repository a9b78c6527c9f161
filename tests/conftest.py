"""Fixtures shared by all tests: real data where it is at hand, and tokenizers of the families in use.

The tokenizers are trained on generated text while the tests run, with templates like those of today's models.
"""

import json
from pathlib import Path

import pytest
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from leadline.data import prose
from leadline.data.tokens import Tokenizer, load_tokenizer

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and peers' scores; tests that need it are skipped where it is absent."""
    if not (SHARED / "data").is_dir():
        pytest.skip("no folder of peers' data beside the project")
    return SHARED


@pytest.fixture(scope="session")
def tokenizer():
    """The embedded model's tokenizer."""
    return load_tokenizer("minnow")


CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] | trim + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
HEADERS = """{{- bos_token }}
{%- if messages[0]['role'] == 'system' %}
    {%- set said = messages[0]['content'] | trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set said = "" %}
{%- endif %}
{{- "<|start|>system<|end|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Tools: " + tools | tojson }}
{%- endif %}
{{- "Today: " + strftime_now("%Y")[:2] + "\\n\\n" + said + "<|eot|>" }}
{%- for message in messages %}
    {%- if loop.index0 > 90 %}{% break %}{% endif %}
    {{- '<|start|>' + message['role'] + '<|end|>\\n\\n' + message['content'] | trim + '<|eot|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start|>assistant<|end|>\\n\\n' }}
{%- endif %}
"""
BRACKETS = """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- set ns = namespace(index=0) %}
{%- for message in loop_messages %}
    {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
        {{- raise_exception("roles must alternate user and assistant") }}
    {%- endif %}
    {%- set ns.index = ns.index + 1 %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {% generation %}{{- " " + message["content"] | trim + eos_token }}{% endgeneration %}
    {%- else %}
        {{- raise_exception("only user and assistant roles are supported") }}
    {%- endif %}
{%- endfor %}
"""
TEMPLATES = {"chatml": CHATML, "headers": HEADERS, "brackets": BRACKETS}
SPECIAL = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|start|>", "<|end|>", "<|eot|>", "[INST]", "[/INST]"]
FAMILIES = ("bytes", "pieces", "unigram", "merges")


def train(family: str) -> tokenizers.Tokenizer:
    """A small tokenizer: byte-level BPE, WordPiece, Unigram with metaspace and bytes, or BPE over whole texts."""
    text = [
        *prose.sentences(3000, 1),
        *prose.records(1000, 1),
        "Passage 17:\nThe text.\n\nPassage 18:\nMore",
        "«Ünïcödé» 漢字 😀",
    ]
    if family == "bytes":
        core = tokenizers.Tokenizer(models.BPE())
        core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        core.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=3000, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False)
    elif family == "pieces":
        core = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
        core.normalizer = normalizers.BertNormalizer()
        core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(
            vocab_size=1500, special_tokens=["[UNK]", "[CLS]", "[SEP]", *SPECIAL], show_progress=False
        )
    elif family == "unigram":
        core = tokenizers.Tokenizer(models.Unigram())
        core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
        core.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
        specials = ["<unk>", *SPECIAL, *(f"<0x{i:02X}>" for i in range(256))]
        trainer = trainers.UnigramTrainer(vocab_size=2000, special_tokens=specials, unk_token="<unk>", show_progress=False)
    else:
        core = tokenizers.Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
        core.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        specials = ["<unk>", *SPECIAL, *(f"<0x{i:02X}>" for i in range(256))]
        trainer = trainers.BpeTrainer(vocab_size=1500, special_tokens=specials, show_progress=False, max_token_length=12)
    if family == "merges":
        # Trained word by word, used on whole texts, as the SentencePiece checkpoints are.
        core.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    core.train_from_iterator(text, trainer)
    spec = json.loads(core.to_str())
    if family == "unigram":
        spec["model"]["byte_fallback"] = True
    if family == "merges":
        spec["pre_tokenizer"] = None
    core = tokenizers.Tokenizer.from_str(json.dumps(spec))
    if family == "pieces":
        core.post_processor = processors.BertProcessing(
            ("[SEP]", core.token_to_id("[SEP]")), ("[CLS]", core.token_to_id("[CLS]"))
        )
    else:
        core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", core.token_to_id("<s>"))])
    core.enable_truncation(512)
    core.enable_padding(length=512)
    return core


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder `family-template` for each pair, as a checkpoint would hold it; `plain` has no template."""
    root = tmp_path_factory.mktemp("tokenizers")
    for family in FAMILIES:
        core = train(family)
        for name, template in {"plain": None, **TEMPLATES}.items():
            place = root / f"{family}-{name}"
            place.mkdir()
            core.save(str(place / "tokenizer.json"))
            config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": {"content": "</s>"}}
            if template and name != "headers":
                config["chat_template"] = template
            elif template:
                (place / "chat_template.jinja").write_text(template)
            config["eos_token"] = "</s>"
            (place / "tokenizer_config.json").write_text(json.dumps(config))
    return root


@pytest.fixture(scope="session")
def tokenizer_of(tokenizer_folder: Path):
    """Loads a tokenizer by `family-template`, once."""
    loaded: dict[str, Tokenizer] = {}

    def get(name: str) -> Tokenizer:
        if name not in loaded:
            loaded[name] = load_tokenizer(str(tokenizer_folder / name))
        return loaded[name]

    return get
