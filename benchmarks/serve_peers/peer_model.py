"""The model that every peer serves, loaded as this repository loads it."""

import sys
from pathlib import Path

from sklearn.pipeline import Pipeline

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "src"))

from models.store import load_model  # noqa: E402

# The most messages to score together.
BATCH_SIZE = 64
POSITIVE = "spam"


def load() -> Pipeline:
    """Return the model that the pipeline made."""
    return load_model(ROOT / "models" / "model.skops")


def predict(model: Pipeline, texts: list[str]) -> list[dict[str, str | float]]:
    """Return the likelier label of each message, and the probability that it is spam."""
    classes = list(model.classes_)
    found = model.predict_proba(texts)
    return [
        {"label": classes[row.argmax()], "probability": float(row[classes.index(POSITIVE)])}
        for row in found
    ]
