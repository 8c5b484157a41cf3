"""Find the modules of this repository that a module imports, and move them into a package."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[1]


def list_names(text: str) -> Iterator[str]:
    """Yield the names that may be modules which a module's source imports.

    A module also counts as imported where a string names something in it, as the list of types
    does that a model file may hold: reading such a file imports them.
    """
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(r"^([a-z_]+\.\w+)\.\w+$", node.value)


def find_imports(*scripts: Path) -> set[Path]:
    """Return the modules in src/ that scripts import, transitively, themselves included."""
    found: set[Path] = set()
    queue = list(scripts)
    while queue:
        path = queue.pop()
        if path in found:
            continue
        found.add(path)
        names = list_names(path.read_text(encoding="utf-8"))
        candidates = (SOURCE / f"{name.replace('.', '/')}.py" for name in names)
        queue += [candidate for candidate in candidates if candidate.is_file()]
    return found


def move_imports(text: str, package: str) -> str:
    """Return a module's source with the imports from packages in src/ as they are in a package.

    Parameters
    ----------
    text : str
        The source of the module.
    package : str
        The name of the package that all packages are moved into.
    """
    ours = {path.name for path in SOURCE.iterdir() if path.is_dir()}
    # Bytes, since that is what positions in the syntax tree count.
    lines = text.encode().splitlines(keepends=True)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            name = node.names[0].name
        elif isinstance(node, ast.ImportFrom):
            name = node.module or ""
        else:
            continue
        if name.partition(".")[0] in ours:
            place = node.lineno - 1
            start, end = lines[place][: node.col_offset], lines[place][node.col_offset :]
            lines[place] = start + end.replace(name.encode(), f"{package}.{name}".encode(), 1)
    return b"".join(lines).decode()
