"""Text processing: normalisation, tokens, near-duplicates, statistics of a message."""
