"""Tables for people, in Markdown."""


def align_table(rows: list[list[str]]) -> str:
    """Return rows of cells, the header first, as a Markdown table."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows = [rows[0], ["-" * width for width in widths], *rows[1:]]
    lines = (" | ".join(map(str.ljust, row, widths)) for row in rows)
    return "\n".join(f"| {line} |" for line in lines)
