"""Metrics, intervals, plots, and the report of an evaluation."""
