"""Rows in and out: CSV, TSV, JSON lines, Parquet."""
