"""Run the service or the command: ``python -m PACKAGE serve`` or ``python -m PACKAGE predict``."""

import core.startup  # noqa: F401  (first: see there)

import importlib
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
FILES = FOLDER / "files"
# The options of each command that name a file or folder of the package; the user's come later.
OPTIONS = {
    "predict": {"model": "models/model.skops", "params": "params.yaml"},
    "serve": {
        "model": "models/model.skops",
        "params": "params.yaml",
        "lock": "dvc.lock",
        "reports": "reports",
    },
}


def main() -> None:
    """Run the command in ``sys.argv``."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    program = f"python -m {FOLDER.name}"
    if name not in OPTIONS:
        commands = " or ".join(OPTIONS)
        sys.exit(f"usage: {program} COMMAND ..., COMMAND is {commands}; COMMAND --help shows more")
    files = [f"--{option}={FILES / path}" for option, path in OPTIONS[name].items()]
    # The name under which argparse and the log show the program.
    sys.argv[:2] = [f"{program} {name}", *files]
    importlib.import_module(f"{FOLDER.name}.commands.{name}").run_program()


if __name__ == "__main__":
    main()
