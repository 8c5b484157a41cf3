"""Read Parquet and Excel, whose values have types."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from core.errors import UserError
from records.raw_tables import RawTable, Unread, make_column, make_table, show_row, stack
from records.schema import Schema
from records.validation_params import ValidationParams


def read_parquet(
    raw: bytes, columns: list[str] | None, _: Schema, __: ValidationParams
) -> RawTable:
    """Read Parquet; its columns keep their types."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(raw))
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"the file is not readable as Parquet ({error})",
            "check data_validation.format, or fetch it again",
        ) from error
    names = list(table.column_names)
    if columns is not None and len(columns) != len(names):
        raise UserError(
            f"the file has {len(names)} columns, but data_validation.columns or the source "
            f"{len(columns)}",
            "leave data_validation.columns empty, or name every column",
        )
    by_column = [convert_arrow(column) for column in table.columns]
    values = stack(by_column, columns or names)
    return make_table(values, np.arange(1, len(values) + 1), [], show_row(values), len(values))


def convert_arrow(column: Any) -> pd.Series:
    """Return a column of Arrow: text as such, all others with their types."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    if is_text or pa.types.is_null(column.type):
        return pd.Series(column.to_pandas(), dtype="str")
    return column.to_pandas(types_mapper=pd.ArrowDtype)


def iterate_sheet(raw: bytes) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a workbook's first sheet.

    Raises
    ------
    UserError
        If openpyxl is not installed, or the file is not a workbook.
    """
    try:
        import openpyxl  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise UserError(
            "reading Excel needs the package openpyxl, which is not installed",
            "run 'pip install openpyxl', or save the file as CSV",
        ) from error
    try:
        sheet = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=True).worksheets[
            0
        ]
        # The size that a file states may be wrong.
        sheet.reset_dimensions()
        yield from sheet.iter_rows(values_only=True)
    except Exception as error:  # openpyxl raises many types for files that are no workbooks
        raise UserError(
            f"the file is not readable as an Excel workbook ({error})",
            "check data_validation.format, or save it as xlsx or CSV",
        ) from error


def read_excel(raw: bytes, columns: list[str] | None, _: Schema, __: ValidationParams) -> RawTable:
    """Read the first sheet of an Excel workbook; rows have the numbers that Excel shows."""
    sheet = list(iterate_sheet(raw))
    while sheet and all(value is None for value in sheet[-1]):
        sheet.pop()
    if not sheet:
        raise UserError("the first sheet is empty", "save the sheet with the data first")
    first = 1
    if columns is None:
        header = list(sheet.pop(0))
        while header and header[-1] is None:
            header.pop()
        columns = ["" if name is None else str(name) for name in header]
        first = 2
    rows, found = [], []
    unread: list[Unread] = []
    for row, values in enumerate(sheet, start=first):
        # A row may be shorter than the widest one, or longer by empty cells.
        cells, more = values[: len(columns)], values[len(columns) :]
        if any(value is not None for value in more):
            n_cells = max(i for i, value in enumerate(values, start=1) if value is not None)
            detail = f"{n_cells}, expected {len(columns)}"
            unread.append((row, "wrong number of fields", detail, repr(values)))
        elif all(value is None for value in cells):
            unread.append((row, "empty row", "", ""))
        else:
            rows.append(row)
            found.append((*cells, *[None] * (len(columns) - len(cells))))
    by_column = list(zip(*found, strict=True)) if found else [()] * len(columns)
    values_of = stack([make_column(column) for column in by_column], columns)
    return make_table(values_of, rows, unread, show_row(values_of), first + len(sheet) - 1)
