"""LitServe, with batches. Run: python litserve_peer.py PORT WORKERS"""

import sys

import litserve
from peer_model import BATCH_SIZE, load, predict

# Seconds to wait for more requests: of 0.5 to 20 ms, this gave the most requests a second.
BATCH_TIMEOUT = 0.01


class Spam(litserve.LitAPI):
    """Classifies messages."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        self.model = load()

    def decode_request(self, request: dict) -> str:
        """Return the message of a request."""
        return request["text"]

    def batch(self, inputs: list[str]) -> list[str]:
        """Return the messages of a batch; by default LitServe makes an array of them."""
        return inputs

    def predict(self, x: list[str]) -> list[dict]:
        return predict(self.model, x)


if __name__ == "__main__":
    port, workers = map(int, sys.argv[1:])
    api = Spam(max_batch_size=BATCH_SIZE, batch_timeout=BATCH_TIMEOUT)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=workers)
    server.run(
        host="127.0.0.1",
        port=port,
        num_api_servers=workers,
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )
