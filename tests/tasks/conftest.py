"""Which tasks are tried, and with which settings: those of the folder, and what each one's fixture file says.

`fixtures/my_task.py` holds `def specs(folder: Path) -> list[str]`: it may write data in a published format into the
folder, and says as which specs the laws are to try the task. A task without such a file is tried as it is.
"""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path

from leadline import catalog

FOLDER = Path(tempfile.mkdtemp(prefix="leadline-fixtures-"))


def specs_of(name: str) -> list[str]:
    module = Path(catalog.find(name, "tasks").path).stem
    if not (Path(__file__).parent / "fixtures" / f"{module}.py").is_file():
        return [name]
    folder = FOLDER / module
    folder.mkdir(exist_ok=True)
    return importlib.import_module(f"tests.tasks.fixtures.{module}").specs(folder)


SPECS = [spec for e in catalog.entries("tasks").values() if not e.members for spec in specs_of(e.id)]


def label(spec: str) -> str:
    """A spec as a test's name, without the folder, which differs between processes."""
    return spec.replace(f"{FOLDER}/", "")
