"""Tests of finding local imports, and of moving them into a package."""

import ast
from pathlib import Path

import pytest

from core.local_imports import SOURCE, find_imports, move_imports

MODULES = sorted(SOURCE.rglob("*.py"))
PACKAGES = {path.parent.name for path in SOURCE.glob("*/__init__.py")}


def test_follows_imports_of_imports():
    names = {path.name for path in find_imports(SOURCE / "model_building.py")}
    assert {"model_building.py", "store.py", "tokens.py", "normalise.py"} <= names


def test_finds_what_any_of_several_scripts_imports():
    first, second = SOURCE / "core" / "wheels.py", SOURCE / "core" / "identity.py"
    assert find_imports(first) < find_imports(first, second)
    assert second in find_imports(first, second)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import core.startup  # first", "import spam.core.startup  # first"),
        ("from core.log import run_stage", "from spam.core.log import run_stage"),
        ("from service import telemetry", "from spam.service import telemetry"),
        ("from text.tokens import (\n    a,\n)\n", "from spam.text.tokens import (\n    a,\n)\n"),
        ("def f():\n    from models import a\n", "def f():\n    from spam.models import a\n"),
        ("é = ' core'; from core import a", "é = ' core'; from spam.core import a"),
        ("a = '\x0b'\nfrom core import a", "a = '\x0b'\nfrom spam.core import a"),
        ("import json\nfrom text_tools import a", "import json\nfrom text_tools import a"),
        ("features = 1\nprint(features)", "features = 1\nprint(features)"),
    ],
)
def test_moves_imports_and_nothing_else(text, expected):
    assert move_imports(text, "spam") == expected


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_import_of_a_module_is_left(path: Path):
    """What is imported as ``import a.b`` may be imported only for what that does."""
    tree = ast.parse(move_imports(path.read_text(), "spam"))
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
    assert not {name.partition(".")[0] for name in names} & PACKAGES
    moved = [name for name in names if name.startswith("spam.")]
    uses = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "spam"]
    assert not uses, moved
