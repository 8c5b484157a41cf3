"""Tests of the service with requests that are made up, by its own description and at random."""

import json
import shutil

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.support.built_table import TASKS
from tests.support.running_service import make_folder, run_service

HEADERS = {"Content-Type": "application/json"}
# No shrinking: a failure is reported as it was found, and the time is known.
QUICKLY = settings(
    derandomize=True,
    deadline=None,
    max_examples=40,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    database=None,
)
CURVE = "POST /v1/curve"
ROUTES = [
    "POST /v1/predict",
    CURVE,
    "POST /v1/feedback",
    "GET /v1/model",
    "GET /v1/model/plots/{name}",
    "GET /metrics",
    "GET /healthz",
    "GET /readyz",
]


@pytest.fixture(scope="module")
def open_service(tmp_path_factory):
    """Return a service of messages that takes feedback."""
    folder = make_folder(tmp_path_factory.mktemp("fuzz"))
    with run_service(folder, FEEDBACK_URL="sqlite:///feedback.db") as running:
        yield running


@pytest.fixture(scope="module", params=["messages", *TASKS])
def any_service(request, open_service, built, tmp_path_factory):
    """Return a service of messages, or of a table of each task."""
    if request.param == "messages":
        yield open_service
        return
    folder = tmp_path_factory.mktemp(request.param)
    shutil.copytree(built(request.param), folder, dirs_exist_ok=True)
    with run_service(folder, FEEDBACK_URL="sqlite:///feedback.db") as running:
        yield running


@pytest.fixture(scope="module")
def description(any_service):
    """Return what the service says of itself."""
    return schemathesis.openapi.from_url(f"{any_service.url}/openapi.json")


@pytest.fixture(scope="module")
def client(open_service):
    with httpx.Client(base_url=open_service.url, timeout=60, verify=False) as opened:
        yield opened


def test_the_description_has_every_route(description, request):
    found = [operation.ok().label for operation in description.get_all_operations()]
    # Models of texts alone have no column with a curve.
    absent = {CURVE} if request.node.callspec.params["any_service"] == "messages" else set()
    assert sorted(found) == sorted(set(ROUTES) - absent)


# What has no body and no limits cannot be asked wrongly.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("route", "mode"),
    [(route, GenerationMode.POSITIVE) for route in ROUTES]
    + [(route, GenerationMode.NEGATIVE) for route in ROUTES if route.startswith("POST")],
)
def test_every_answer_is_as_described(any_service, description, route, mode):
    operations = {found.ok().label: found.ok() for found in description.get_all_operations()}
    if route not in operations:
        pytest.skip("the model has no such route")
    operation = operations[route]
    n_asked = 0

    @given(case=operation.as_strategy(generation_mode=mode))
    @QUICKLY
    def ask(case):
        nonlocal n_asked
        answer = case.call(timeout=60)
        # No schema can express that a linear model makes infinite numbers of the largest ones, nor
        # that databases store no NUL.
        is_beyond = any(text in answer.text for text in ("no finite number", "has a NUL character"))
        case.validate_response(
            answer, excluded_checks=[positive_data_acceptance] if is_beyond else []
        )
        n_asked += 1

    ask()
    assert n_asked >= (QUICKLY.max_examples if route.startswith("POST") else 1)
    assert "Traceback" not in any_service.read_log()
    assert any_service.process.poll() is None


@QUICKLY
@given(texts=st.lists(st.text(st.characters(), min_size=1, max_size=200), min_size=1, max_size=5))
def test_any_text_is_scored_or_refused(client, texts):
    answer = client.post("/v1/predict", content=json.dumps({"texts": texts}), headers=HEADERS)
    is_fit = all(
        text.strip() and not any("\ud800" <= character <= "\udfff" for character in text)
        for text in texts
    )
    assert answer.status_code == (200 if is_fit else 422)
    if is_fit:
        assert len(answer.json()["predictions"]) == len(texts)
        explained = client.post(
            "/v1/predict",
            content=json.dumps({"text": texts[0], "explain": True}),
            headers=HEADERS,
        )
        assert explained.status_code == 200


@QUICKLY
@given(content=st.binary(max_size=300))
def test_any_bytes_are_answered(client, content):
    for path in ("/v1/predict", "/v1/feedback"):
        answer = client.post(path, content=content, headers=HEADERS)
        assert answer.status_code in (400, 422)
        assert answer.headers["content-type"] == "application/problem+json"


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters()),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(
            st.sampled_from(["text", "texts", "row", "rows", "label", "explain", "unknown_columns"])
            | st.text(st.characters()),
            children,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@QUICKLY
@given(body=JSON)
def test_any_json_is_answered(client, body):
    for path in ("/v1/predict", "/v1/feedback"):
        answer = client.post(path, content=json.dumps(body), headers=HEADERS)
        assert answer.status_code in (200, 201, 400, 422), answer.text
        if answer.status_code == 422:
            assert answer.json()["errors"]
