"""Run a command: ``python src COMMAND ...``; without one, list them.

This file imports only the standard library, since some commands run before anything is installed.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

COMMANDS = Path(__file__).parent / "commands"


def list_commands() -> dict[str, str]:
    """Return the commands, each with the first sentence of its file."""
    commands = {}
    for path in sorted(COMMANDS.glob("[!_]*.py")):
        # Not parsed: an old Python would fail on new syntax before doctor could report its version.
        docstring = path.read_text(encoding="utf-8").split('"""')[1]
        commands[path.stem] = docstring.partition("\n\n")[0].replace("\n", " ").rstrip(".")
    return commands


def main() -> None:
    """Run the command in ``sys.argv``, or list all commands."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    commands = list_commands()
    if name in ("", "-h", "--help"):
        print("usage: python src COMMAND ...  (python src COMMAND --help shows its options)\n")
        width = max(map(len, commands))
        print("\n".join(f"{command:{width}}  {what}" for command, what in commands.items()))
        return
    if name not in commands:
        sys.exit(f"python src: there is no command {name!r}, only {', '.join(commands)}")
    # The name under which argparse and the log show the program.
    sys.argv[:2] = [f"python src {name}"]
    importlib.import_module("core.startup")
    importlib.import_module(f"commands.{name}").run_program()


if __name__ == "__main__":
    main()
