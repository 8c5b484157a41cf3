"""Tables in Markdown."""


def align_table(rows: list[list[str]]) -> str:
    """Return rows of cells, header first, as a Markdown table with columns of equal width."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows = [rows[0], ["-" * width for width in widths], *rows[1:]]
    lines = (" | ".join(map(str.ljust, row, widths)) for row in rows)
    return "\n".join(f"| {line} |" for line in lines)
