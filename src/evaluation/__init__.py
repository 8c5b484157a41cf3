"""Metrics, intervals, figures, report."""
