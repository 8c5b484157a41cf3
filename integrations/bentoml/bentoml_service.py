"""Serve the package of a model with BentoML.

Run: MODEL_PACKAGE=sms_spam bentoml serve bentoml_service:Model
"""

import importlib
import os
from typing import Any

import bentoml
from bentoml.exceptions import InvalidArgument


@bentoml.service
class Model:
    """Predicts with the model of an installed package."""

    def __init__(self) -> None:
        self.package = importlib.import_module(os.environ["MODEL_PACKAGE"])
        # Loads the model before the first request.
        self.package.predict([])

    @bentoml.api
    def predict(self, rows: list[dict[str, Any] | str]) -> list[dict[str, Any]]:
        """Return the prediction for each row, or for each message."""
        try:
            return self.package.predict(rows)
        except ValueError as error:
            raise InvalidArgument(str(error)) from error
