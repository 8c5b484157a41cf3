"""The documents that `make readme` brings up to date, and what is in them."""

import re
from pathlib import Path

from commands.summary import BLOCK

ROOT = Path(__file__).parents[2]
PATTERNS = re.search(r"--update (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split()
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix() for pattern in PATTERNS for path in ROOT.glob(pattern)
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def read_document(name: str) -> str:
    """Return a document without its front matter."""
    return re.sub(
        r"\A---\n.*?^---\n", "", (ROOT / name).read_text(), flags=re.DOTALL | re.MULTILINE
    )


def split_sections(name: str) -> dict[str, str]:
    """Return the text below each heading of a document, '' being the one above the second."""
    sections, heading, is_code = {"": ""}, "", False
    for line in read_document(name).splitlines(keepends=True):
        is_code ^= line.startswith("```")
        if line.startswith("## ") and not is_code:
            heading = line.removeprefix("## ").strip()
            assert heading not in sections, f"{name} has the section {heading!r} more than once"
            sections[heading] = ""
        sections[heading] += line
    return sections


def read_consoles(text: str) -> list[str]:
    """Return the commands of each console block that is not generated, as scripts of bash."""
    blocks = [code for kind, code in FENCE.findall(BLOCK.sub("", text)) if kind == "console"]
    return [re.sub(r"^\$ ", "", block, flags=re.MULTILINE) for block in blocks]
