"""BentoML, with batches. Run: WORKERS=1 bentoml serve bentoml_peer:Spam"""

import os

import bentoml
from peer_model import BATCH_SIZE, load, predict

# BentoML refuses requests that it expects to take longer: with 100 it refused some of 32 clients.
MAX_LATENCY_MS = 1000


@bentoml.service(workers=int(os.environ["WORKERS"]), logging={"access": {"enabled": False}})
class Spam:
    """Classifies messages."""

    def __init__(self) -> None:
        self.model = load()

    @bentoml.api(batchable=True, max_batch_size=BATCH_SIZE, max_latency_ms=MAX_LATENCY_MS)
    def predict(self, text: list[str]) -> list[dict]:
        """Score a batch; a request has a list of one message, as BentoML requires it."""
        return predict(self.model, text)
