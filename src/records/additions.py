"""The file of added rows: a line that says what it is, then rows in the format of the source."""

from core.errors import UserError

# So that the file is never empty, which DVC warns of on every run.
FIRST_LINE = b"# Rows that are added to those of the source, after this line\n"


def read_added(content: bytes) -> bytes:
    """Return the added rows of the file with this content.

    Raises
    ------
    UserError
        If it does not start with the line that says what it is.
    """
    if not content.startswith(FIRST_LINE):
        raise UserError(
            f"its first line is not {FIRST_LINE.decode().strip()!r}: "
            "let src/data_ingestion.py write it, from data_ingestion.additions in params.yaml"
        )
    return content.removeprefix(FIRST_LINE)
