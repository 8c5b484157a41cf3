"""Check that Git knows who commits, before steps that end in a commit or a tag."""

from __future__ import annotations

import os
import subprocess

from core.errors import UserError

EXAMPLES = {"name": "'Your Name'", "email": "you@example.org"}


def find_missing_identity() -> list[str]:
    """Return the settings that commits and tags need and lack: ``user.name``, ``user.email``.

    DVC reads the configuration and the variables of author and committer, not, as Git does, EMAIL
    or the name of the machine. So these do not count.
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


def explain_missing(settings: list[str]) -> tuple[str, str]:
    """Return what is wrong if Git lacks these settings, and the command that sets them."""
    commands = [f"git config --global {name} {EXAMPLES[name[5:]]}" for name in settings]
    verb = "are" if len(settings) > 1 else "is"
    return f"{' and '.join(settings)} {verb} not set", " && ".join(commands)


def require_identity() -> None:
    """Return if Git knows who commits.

    Raises
    ------
    UserError
        If it does not.
    """
    missing = find_missing_identity()
    if missing:
        fault, fix = explain_missing(missing)
        raise UserError(f"Git does not know who commits, {fault}: {fix}")
