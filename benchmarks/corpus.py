"""The corpus as the pipeline fetched it: nothing is checked, nothing is dropped."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
RAW = ROOT / "data" / "raw" / "source"


def require_corpus(path: Path) -> None:
    """Exit with one sentence if the corpus has not been fetched."""
    if not path.is_file():
        sys.exit(f"{path} does not exist: run 'make repro' first")


def read_corpus(path: Path) -> tuple[list[str], list[str]]:
    """Return the labels and the texts of a file of ``label<TAB>text``."""
    require_corpus(path)
    lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    labels, texts = zip(*(line.split("\t", 1) for line in lines), strict=True)
    return list(labels), list(texts)
