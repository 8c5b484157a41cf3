"""Check that Git has a name and an email address, before work that ends in a commit or a tag."""

from __future__ import annotations

import os
import subprocess

from core.errors import UserError

EXAMPLES = {"name": "'Your Name'", "email": "you@example.org"}


def find_missing_identity() -> list[str]:
    """Return which of ``user.name`` and ``user.email`` are not set.

    DVC reads the configuration and the variables GIT_AUTHOR_* and GIT_COMMITTER_*. Unlike Git, it
    does not use EMAIL or the name of the machine, so these are not considered here.
    """
    missing = []
    for key in EXAMPLES:
        names = [f"GIT_{role}_{key.upper()}" for role in ("AUTHOR", "COMMITTER")]
        if all(os.environ.get(name) for name in names):
            continue
        command = ["git", "config", f"user.{key}"]
        found = subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout
        if not found.strip():
            missing.append(f"user.{key}")
    return missing


def describe_missing(settings: list[str]) -> tuple[str, str]:
    """Return which settings are not set, as a sentence, and the command that sets them."""
    commands = [f"git config --global {name} {EXAMPLES[name[5:]]}" for name in settings]
    verb = "are" if len(settings) > 1 else "is"
    return f"{' and '.join(settings)} {verb} not set", " && ".join(commands)


def require_identity() -> None:
    """Raise ``UserError`` if Git has no name or email address for commits."""
    missing = find_missing_identity()
    if missing:
        problem, fix = describe_missing(missing)
        raise UserError(f"Git does not know who commits, {problem}", fix)
