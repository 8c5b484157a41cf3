"""The file of added rows: a fixed first line, then rows in the format of the source."""

from core.errors import UserError

# Without additions the file would be empty, and DVC would warn about that on every run.
FIRST_LINE = b"# Rows that are added to those of the source, after this line\n"


def read_added(content: bytes) -> bytes:
    """Return the content of a file of additions without its first line.

    Raises
    ------
    UserError
        If it does not start with ``FIRST_LINE``.
    """
    if not content.startswith(FIRST_LINE):
        raise UserError(
            f"its first line is not {FIRST_LINE.decode().strip()!r}",
            "let src/data_ingestion.py write it, from data_ingestion.additions in params.yaml",
        )
    return content.removeprefix(FIRST_LINE)
