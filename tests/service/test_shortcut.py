"""Tests of answering requests for predictions without FastAPI's layers."""

import json

import pytest

from service.gate import LARGE_BYTES
from service.schemas import ManyMessages, OneMessage
from service.shortcut import parse_body
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
def test_an_answer_is_the_same_with_and_without_the_layers(model_folder, tmp_path, content, status):
    async def talk(client):
        async def send_in_pieces():
            yield content[:3]
            yield content[3:]

        return [
            await client.post("/v1/predict", content=body, headers=HEADERS)
            for body in (content, send_in_pieces())
        ]

    whole, in_pieces = ask(make_settings(model_folder, tmp_path), talk)
    assert whole.status_code == in_pieces.status_code == status
    assert whole.content == in_pieces.content
    assert whole.headers == in_pieces.headers


def test_small_valid_bodies_in_one_piece_need_no_layers():
    assert parse_body({"body": b'{"text": "a"}'}) == OneMessage(text="a")
    assert parse_body({"body": b'{"texts": ["a"]}', "more_body": False}) == ManyMessages(
        texts=["a"]
    )


@pytest.mark.parametrize(
    "message",
    [
        {"type": "http.disconnect"},
        {"body": b'{"text": "a"}', "more_body": True},
        {"body": json.dumps({"texts": ["a" * 1000] * (LARGE_BYTES // 1000)}).encode()},
        {"body": b'{"text": ""}'},
    ],
    ids=["left", "pieces", "large", "invalid"],
)
def test_fastapi_gets_all_other_bodies(message):
    assert parse_body(message) is None
