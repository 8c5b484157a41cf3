"""Tests of answering requests for predictions without FastAPI's layers."""

import pytest

from service.shortcut import Shortcut
from tests.support.application import ask, make_settings

HEADERS = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'{"text": "free prize"}', 200),
        (b'{"text": "free prize", "explain": true}', 200),
        (b'{"texts": ["free prize", "w\\u00f6rds", "\xe2\x82\xac500"]}', 200),
        ('{"text": "free prize"}'.encode("utf-16"), 200),
        (b'{"text": 1, "text": "free prize"}', 200),
        (b'{"text": "' + "\ufdfa".encode() * 1000 + b'"}', 413),
        (b'{"texts": []}', 422),
        (b'{"text": "free prize", "explain": "yes"}', 422),
        (b'{"text": "free prize", "other": 1}', 422),
        (b'{"text": "\\ud800"}', 422),
        (b"", 422),
        (b"{", 400),
        (b'{"text": "\xff"}', 400),
        (b"[" * 40_000, 400),
    ],
    ids=lambda value: str(value[:40]) if isinstance(value, bytes) else None,
)
def test_an_answer_is_the_same_with_and_without_the_layers(
    model_folder, tmp_path, monkeypatch, content, status
):
    async def talk(client):
        async def send_in_pieces():
            yield content[:3]
            yield content[3:]

        answers = [
            await client.post("/v1/predict", content=body, headers=HEADERS)
            for body in (content, send_in_pieces())
        ]
        monkeypatch.setattr(Shortcut, "path", "/elsewhere")
        return *answers, await client.post("/v1/predict", content=content, headers=HEADERS)

    whole, in_pieces, through_the_layers = ask(make_settings(model_folder, tmp_path), talk)
    for other in (in_pieces, through_the_layers):
        assert whole.status_code == other.status_code == status
        assert whole.content == other.content
        assert whole.headers == other.headers
