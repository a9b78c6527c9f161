"""Pages that are generated are as the code has it."""

import runpy
from pathlib import Path

import pytest


def test_the_catalogues_are_current():
    pytest.importorskip("torch")
    docs = Path(__file__).parents[1] / "docs"
    made = runpy.run_path(str(docs / "catalogue.py"))
    for name, page in (("methods.md", made["page"]()), ("benchmarks.md", made["benchmarks"]())):
        assert (docs / name).read_text(encoding="utf-8") == page, "run: python docs/catalogue.py"


def test_the_example_of_a_method_runs_as_it_stands(tmp_path, monkeypatch, capsys):
    """The file in docs/adding.md, word for word, in a folder of its own."""
    torch = pytest.importorskip("torch")
    from leadline import applied, cli, load

    text = (Path(__file__).parents[1] / "docs" / "adding.md").read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    assert len(code.splitlines()) <= 40
    (tmp_path / "strided.py").write_text(code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    model = load("minnow")
    ids = torch.tensor([model.tokenizer.ids("The code of the red door is 4 7 1 2 . " * 20)])
    with applied(model.module, "./strided.py(stride=8, recent=16) + kivi(bits=8)"), torch.no_grad():
        cache = model.module.generate(ids, max_new_tokens=4, do_sample=False, return_dict_in_generate=True).past_key_values
    assert cache.layers[0].length < 4 + ids.shape[1] // 8 + 1 + 16 + 4 + 1
    assert cache.get_seq_length() == ids.shape[1] + 3
    argv = [
        "leadline",
        "compare",
        "minnow",
        "--tasks",
        "needle",
        "--base",
        "256",
        "--lengths",
        "512",
        "--samples",
        "1",
        "--json",
    ]
    monkeypatch.setattr("sys.argv", [*argv, "--methods", "./strided.py(stride=2)", "--out", str(tmp_path / "run")])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 0
    assert "strided.py(stride=2)" in capsys.readouterr().out
