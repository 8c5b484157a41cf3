"""Schemas for tests."""

from records.schema import Schema


def make_schema(**changes: object) -> Schema:
    """Return the schema of messages labelled ham or spam, with some values changed."""
    usual: dict[str, object] = {
        "task": "binary",
        "target": "label",
        "labels": ["ham", "spam"],
        "positive": "spam",
        "text": ["text"],
        "number": [],
        "category": [],
        "ordinal": [],
        "date": [],
        "id": [],
        "drop": [],
    }
    return Schema(**usual | changes)


MESSAGES = make_schema()
