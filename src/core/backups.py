"""Keep what a file holds before it is replaced."""

import subprocess
from pathlib import Path


def keep_previous(path: Path, content: str) -> str:
    """Keep a file that Git does not have as it is; return what was done, for a message."""
    previous = path.read_bytes()
    if previous == content.encode():
        return "it is the same as before"
    command = ["git", "show", f"HEAD:./{path.name}"]
    try:
        done = subprocess.run(command, cwd=path.resolve().parent, capture_output=True, check=False)
        committed = done.stdout if done.returncode == 0 else None
    except OSError:  # git is not installed
        committed = None
    if committed == previous:
        return f"the previous one is in Git: git checkout {path}"
    backup = path.with_name(f"{path.name}.bak")
    n = 1
    while backup.exists() and backup.read_bytes() != previous:
        n += 1
        backup = path.with_name(f"{path.name}.bak{n}")
    backup.write_bytes(previous)
    return f"the previous one is now {backup}"
