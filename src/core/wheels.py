"""Write a wheel: https://packaging.python.org/specifications/binary-distribution-format/."""

import base64
import hashlib
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

from core.files import atomic_path

# The earliest date a zip file can hold: equal files give equal wheels.
ZIP_DATE = (1980, 1, 1, 0, 0, 0)
MODE = 0o100644
UNIX = 3
WHEEL = """Wheel-Version: 1.0
Generator: make package
Root-Is-Purelib: true
Tag: py3-none-any
"""


def normalise_name(name: str) -> str:
    """Return the name of a distribution as file names have it."""
    return re.sub("[-_.]+", "_", name).lower()


def record(name: str, content: bytes) -> str:
    """Return the line of RECORD for a file."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    return f"{name},sha256={digest},{len(content)}\n"


def write_wheel(
    folder: Path, name: str, version: str, metadata: str, files: Mapping[str, bytes], licence: bytes
) -> Path:
    """Write a wheel of pure Python, and return its path.

    Parameters
    ----------
    folder : Path
        Where to write it.
    name, version : str
        Of the distribution.
    metadata : str
        The content of METADATA.
    files : mapping of str to bytes
        The content of each file by its path in site-packages.
    licence : bytes
        The text of the licence, which ``metadata`` calls LICENSE.
    """
    start = f"{normalise_name(name)}-{version}"
    info = f"{start}.dist-info"
    # Installers read the last files first.
    contents = dict(sorted(files.items())) | {
        f"{info}/licenses/LICENSE": licence,
        f"{info}/WHEEL": WHEEL.encode(),
        f"{info}/METADATA": metadata.encode(),
    }
    lines = "".join(record(path, content) for path, content in contents.items())
    contents[f"{info}/RECORD"] = f"{lines}{info}/RECORD,,\n".encode()
    target = folder / f"{start}-py3-none-any.whl"
    with atomic_path(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for path, content in contents.items():
            entry = zipfile.ZipInfo(path, ZIP_DATE)
            entry.create_system = UNIX
            entry.external_attr = MODE << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=6)
    return target
