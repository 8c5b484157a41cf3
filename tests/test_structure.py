"""Tests of which module may import which: see README, "Layout"."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
# A package imports only from packages of lines above its own, and from itself.
ORDER = [
    {"core"},
    {"text", "storage"},
    {"records"},
    {"features"},
    {"models"},
    {"evaluation"},
    {"monitoring"},
    {"feedback"},
    {"service"},
    {"commands"},
]
PACKAGES = set().union(*ORDER)
STAGES = {
    "data_ingestion",
    "data_validation",
    "preprocessing",
    "feature_engineering",
    "model_building",
    "robustness",
    "model_evaluation",
}
MODULES = sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*.py"))


def list_allowed(package: str) -> set[str]:
    """Return the packages that a package may import from."""
    if package in STAGES:
        return PACKAGES - {"commands"}
    # No command imports another.
    allowed = set() if package == "commands" else {package}
    for line in ORDER:
        if package in line:
            return allowed
        allowed |= line
    raise AssertionError(f"{package} has no place in the order")


def find_forbidden(path: Path, text: str) -> list[str]:
    """Return the imports of a module that the order does not allow; ``path`` is below src/."""
    imported = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            imported += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            imported.append(node.module or "")
    own = {name.partition(".")[0]: name for name in imported}
    allowed = list_allowed(path.parts[0].removesuffix(".py"))
    return [name for top, name in own.items() if top in (PACKAGES | STAGES) - allowed]


def test_src_holds_the_stages_and_packages_and_nothing_else():
    files = {path.name for path in SOURCE.glob("*.py")}
    folders = {path.name for path in SOURCE.iterdir() if path.is_dir()} - {"__pycache__"}
    assert files == {f"{stage}.py" for stage in STAGES} | {"__main__.py"}
    assert folders == PACKAGES


@pytest.mark.parametrize("path", [path for path in MODULES if path.name != "__main__.py"], ids=str)
def test_a_module_imports_only_what_stands_before_it(path):
    assert find_forbidden(path, (SOURCE / path).read_text()) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("core/log.py", "from records.splitting import split_csv"),
        ("text/tokens.py", "import records.lines"),
        ("feedback/store.py", "from service import api"),
        ("models/store.py", "def f():\n    from evaluation import metrics"),
        ("service/app.py", "from feedback import export\nfrom commands import serve"),
        ("commands/sweep.py", "from commands import compare"),
        ("evaluation/report.py", "from model_evaluation import main"),
        ("preprocessing.py", "from model_building import main"),
    ],
)
def test_an_import_that_is_not_allowed_is_found(path, text):
    assert find_forbidden(Path(path), text)


def test_what_runs_before_anything_is_installed_imports_the_standard_library_alone():
    tree = ast.parse((SOURCE / "__main__.py").read_text())
    names = [
        alias.name if isinstance(node, ast.Import) else node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    ]
    assert set(names) <= {"__future__", "ast", "gc", "importlib", "pathlib", "sys"}


@pytest.mark.parametrize("path", [path for path in MODULES if path.name == "__init__.py"], ids=str)
def test_a_package_itself_holds_no_code(path):
    (statement,) = ast.parse((SOURCE / path).read_text()).body
    assert isinstance(statement, ast.Expr)
    assert isinstance(statement.value, ast.Constant)


# The schema checks that task and labels agree, and inference chooses the task of new data.
MAY_COMPARE_TASKS = {"records/schema.py", "records/inferred_target.py"}


def test_only_the_object_of_a_task_knows_which_task_it_is():
    compares = re.compile(r"\btask(\.name)? (==|!=) ")
    found = [
        f"{name}: {line.strip()}"
        for path in SOURCE.rglob("*.py")
        if (name := path.relative_to(SOURCE).as_posix()) not in MAY_COMPARE_TASKS
        for line in path.read_text().splitlines()
        if compares.search(line)
    ]
    assert found == []
