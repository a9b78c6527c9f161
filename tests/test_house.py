"""The rules that hold the house up and that a list of contracts cannot name: those about every plugin there will be."""

import ast
import subprocess
import sys

import pytest

from leadline import catalog

PLUGINS = [e for room in catalog.ROOMS if room not in catalog.NAMED for e in catalog.entries(room).values()]


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("entry", PLUGINS, ids=lambda e: e.id)
def test_plugins_never_import_each_other(entry):
    others = {".".join(("leadline", *e.path.relative_to(catalog.ROOT).with_suffix("").parts)) for e in PLUGINS if e != entry}
    assert not others & set(imports(entry.path))


@pytest.mark.parametrize("entry", PLUGINS, ids=lambda e: e.id)
def test_the_core_never_names_a_plugin(entry):
    plugins = {e.path for e in PLUGINS}
    name = ".".join(("leadline", *entry.path.relative_to(catalog.ROOT).with_suffix("").parts))
    for path in catalog.ROOT.rglob("*.py"):
        if path not in plugins:
            assert name not in set(imports(path)), path


@pytest.mark.parametrize(
    "what",
    ["leadline", "leadline.cli", "leadline.catalog", "leadline.data.haystack", "leadline.tasks.needle", "leadline.report.page"],
)
def test_importing_is_light(what):
    """Neither torch nor the engine is loaded before it is used."""
    code = f"import sys, {what}; print([m for m in ('torch', 'transformers', 'inspect_ai', 'matplotlib', 'pyarrow') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
