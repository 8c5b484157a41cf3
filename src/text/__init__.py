"""Normalised text, tokens, near-duplicates, statistics."""
