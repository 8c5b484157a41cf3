"""Read and write rows: CSV, TSV, JSON lines, Parquet."""
