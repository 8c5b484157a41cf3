"""Tests of what the service answers, in this process."""

import asyncio
import hashlib
import logging
import re
import shutil
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sklearn.ensemble import RandomForestClassifier

from feedback.store import StoreError
from models.explanation import explain
from models.scoring import score_texts
from models.store import load_model, save_model
from service import api
from service.schemas import BATCH_SIZE, BODY_BYTES, TEXT_LENGTH
from tests.support.application import ask, make_settings
from tests.support.running_service import MEASURED, PNG, make_folder
from tests.support.small_model import fit_model, read_version

ROOT = Path(__file__).parents[2]
SPAM = "WIN cash now, claim your prize"
HAM = "see you at home"


@pytest.fixture(autouse=True)
def _restore_logging():
    """Undo what the application does to the logging of this process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def get(model_folder, tmp_path):
    """Return a function that asks the application once and returns its answer."""

    def get(method, path, settings=None, **options):
        async def talk(client):
            return await client.request(method, path, **options)

        return ask(settings or make_settings(model_folder, tmp_path), talk)

    return get


def check_problem(answer, status, detail):
    """Assert that an answer is a problem of this status with these words."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert detail in problem["detail"]
    return problem


def test_one_message_gets_what_predict_py_says(get, model_folder):
    path = model_folder / "models/model.skops"
    answer = get("POST", "/v1/predict", json={"text": SPAM})
    assert answer.status_code == 200
    assert answer.json() == {
        "model_version": read_version(path),
        "threshold": 0.5,
        "predictions": [
            {
                "label": "spam",
                "probability": score_texts(load_model(path), "spam", [SPAM])[0],
            }
        ],
    }


def test_many_messages_get_their_predictions_in_their_order(get, model_folder):
    texts = [f"{SPAM if i % 3 else HAM} {i}" for i in range(200)]
    answer = get("POST", "/v1/predict", json={"texts": texts})
    model = load_model(model_folder / "models/model.skops")
    found = [row["probability"] for row in answer.json()["predictions"]]
    assert found == score_texts(model, "spam", texts).tolist()
    assert len({row["label"] for row in answer.json()["predictions"]}) == 2


def test_an_explanation_holds_each_word_and_what_it_contributes(get, model_folder):
    text = "claim\tyour  claim"
    row = get("POST", "/v1/predict", json={"text": text, "explain": True}).json()["predictions"][0]
    expected = explain(load_model(model_folder / "models/model.skops"), "spam", text)
    assert [word["word"] for word in row["words"]] == ["claim", "your", "claim"]
    assert [word["contribution"] for word in row["words"]] == [
        pytest.approx(share, abs=1e-6) for _, share in expected.words
    ]


def test_a_model_without_weights_returns_no_words(get, tmp_path):
    folder = make_folder(tmp_path / "made")
    save_model(fit_model(RandomForestClassifier(5, random_state=0)), folder / "models/model.skops")
    settings = make_settings(folder, tmp_path)
    asked = {"text": SPAM, "explain": True}
    assert get("POST", "/v1/predict", settings, json=asked).json()["predictions"][0] == {
        "label": "spam",
        "probability": pytest.approx(0.8, abs=0.2),
        "words": None,
    }


def test_the_threshold_given_decides(get, model_folder, tmp_path):
    settings = make_settings(model_folder, tmp_path, threshold=1.0)
    answer = get("POST", "/v1/predict", settings, json={"text": SPAM}).json()
    assert answer["threshold"] == 1
    assert answer["predictions"][0]["label"] == "ham"


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        ({}, "/text", "field required"),
        ({"text": None}, "/text", "valid string"),
        ({"text": 5}, "/text", "valid string"),
        ({"text": ""}, "/text", "at least 1 character"),
        ({"text": " \n"}, "/text", "empty text"),
        ({"text": "a" * (TEXT_LENGTH + 1)}, "/text", "at most 10000 characters"),
        ({"text": "a", "explain": "yes"}, "/explain", "valid boolean"),
        ({"text": "a", "a/b~c": 1}, "/a~1b~0c", "not permitted"),
        ({"text": "a", "texts": ["a"]}, "/text", "not permitted"),
        ({"texts": []}, "/texts", "at least 1 item"),
        ({"texts": ["a"] * (BATCH_SIZE + 1)}, "/texts", "at most 1000 items"),
        ({"texts": ["a", " "]}, "/texts/1", "empty text"),
        ({"texts": "a"}, "/texts", "valid list"),
        ([], "", "must be a JSON object"),
        ({"text": "a", "one": 1}, "/one", "not permitted"),
        ({"texts": ["a"], "many": 1}, "/many", "not permitted"),
    ],
)
def test_an_invalid_request_gets_the_reason_and_the_place(get, body, pointer, detail):
    problem = check_problem(get("POST", "/v1/predict", json=body), 422, detail)
    assert problem["errors"][0]["pointer"] == pointer
    assert detail in problem["errors"][0]["detail"]


def test_a_problem_does_not_repeat_what_was_sent(get):
    answer = get("POST", "/v1/predict", json={"texts": [{"secret": "marker"}] * 30})
    assert "marker" not in answer.text
    assert len(answer.json()["errors"]) == 20
    assert "and 27 more" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b'{"text": "a', "not JSON: Unterminated string starting at at character 9"),
        (b'{"text": "\xff"}', "not UTF-8: invalid start byte at byte 10"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_body_that_is_not_json_gets_the_place_of_the_error(get, content, detail):
    headers = {"Content-Type": "application/json"}
    check_problem(get("POST", "/v1/predict", content=content, headers=headers), 400, detail)


def test_a_body_of_another_type_is_refused(get):
    check_problem(get("POST", "/v1/predict", data={"text": "a"}), 415, "application/json")


def test_too_large_a_body_is_refused_by_its_length_or_as_it_comes(get):
    content = b" " * (BODY_BYTES + 1)
    headers = {"Content-Type": "application/json"}
    answer = get("POST", "/v1/predict", content=content, headers=headers)
    check_problem(answer, 413, "more than 1,000,000 bytes")

    async def pieces():
        for start in range(0, len(content), 100_000):
            yield content[start : start + 100_000]

    answer = get("POST", "/v1/predict", content=pieces(), headers=headers)
    check_problem(answer, 413, "more than 1,000,000 bytes")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        # One character that normalising makes 18 of, and one that it makes 4 of.
        ({"text": "\ufdfa" * 600}, "the text has more than 10,000 characters after Unicode"),
        ({"text": "㏂" * 10_000}, "the text has more than 10,000 characters after Unicode"),
        ({"texts": ["a", "㏂" * 2600]}, "text number 2 has more than 10,000 characters after"),
        ({"texts": ["a" * 10_000] * 11}, "more than 100,000 characters together"),
        ({"texts": ["㏂" * 2400] * 11}, "more than 100,000 characters together"),
    ],
    ids=["phrase", "four", "second", "together", "together normalised"],
)
def test_more_work_than_a_request_may_make_is_refused(get, body, detail):
    check_problem(get("POST", "/v1/predict", json=body), 413, detail)


def test_as_much_as_a_request_may_hold_is_scored(get):
    answer = get("POST", "/v1/predict", json={"texts": ["a " * 5000] * 9 + ["㏂" * 2500]})
    assert answer.status_code == 200
    assert len(answer.json()["predictions"]) == 10


def test_an_entity_of_a_surrogate_fails_nobody(get):
    answer = get("POST", "/v1/predict", json={"texts": ["hello &#55296; x", SPAM]})
    assert answer.status_code == 200
    assert len(answer.json()["predictions"]) == 2


def test_a_text_costs_what_is_received_even_if_normalising_makes_less_of_it(model_folder, tmp_path):
    async def talk(client):
        service = client.app.state.service
        sizes = await service.compute_sizes(["\xa0" * 9999 + "a"])
        refused = await client.post("/v1/predict", json={"texts": ["\xa0" * 9999 + "a"] * 11})
        return sizes, refused

    sizes, refused = ask(make_settings(model_folder, tmp_path), talk)
    assert sizes == [10_000]
    check_problem(refused, 413, "more than 100,000 characters together")


def test_feedback_that_waits_for_a_dead_store_is_limited(model_folder, tmp_path, monkeypatch):
    may_end = threading.Event()

    def hang(*_, **__):
        assert may_end.wait(60)
        return 1

    monkeypatch.setattr(api, "add_feedback", hang)
    url = f"sqlite:///{tmp_path}/feedback.db"

    async def talk(client):
        body = {"text": SPAM, "label": "ham"}
        storing = [asyncio.ensure_future(client.post("/v1/feedback", json=body)) for _ in range(40)]
        while sum(task.done() for task in storing) < 20:
            await asyncio.sleep(0.01)
        may_end.set()
        return [answer.status_code for answer in await asyncio.gather(*storing)]

    statuses = ask(make_settings(model_folder, tmp_path, feedback_url=url), talk)
    assert sorted(statuses) == [201] * 20 + [503] * 20


def test_too_many_messages_to_explain_are_refused(model_folder, tmp_path):
    async def talk(client):
        client.app.state.service.explained_characters = 99_999
        return await client.post("/v1/predict", json={"text": SPAM, "explain": True})

    answer = ask(make_settings(model_folder, tmp_path), talk)
    check_problem(answer, 503, "too many requests are waiting")
    assert answer.headers["retry-after"] == "1"


def test_the_card_has_version_metrics_and_digests(get, model_folder):
    card = get("GET", "/v1/model").json()
    content = (model_folder / "models/model.skops").read_bytes()
    assert card["sha256"] == hashlib.sha256(content).hexdigest()
    assert card["version"] == card["sha256"][:12]
    assert card["labels"] == {"negative": "ham", "positive": "spam"}
    assert card["metrics"] == MEASURED
    assert card["intervals"]["test"]["f1"] == {"low": 0.89, "high": 0.91}
    assert card["robustness"]["worst_attack"] == "no_contacts"
    assert card["robustness"]["attacks"]["typos"] == {
        "caught": {"rate": 0.875, "low": 0.8, "high": 0.9},
        "blocked": {"rate": 0.03, "low": 0.02, "high": 0.05},
    }
    assert card["training"] == {"training_set_md5": "b" * 32}
    assert card["plots"] == ["confusion_matrix", "roc"]
    assert card["estimator"] == "LogisticRegression"
    assert card["limits"] == {
        "text_length": 10_000,
        "batch_size": 1000,
        "characters": 100_000,
        "body_bytes": 1_000_000,
    }
    assert card["feedback"] is False
    loaded = datetime.fromisoformat(card["loaded_at"])
    assert datetime.now(UTC) - loaded < timedelta(minutes=1)


def test_the_card_has_no_metrics_of_another_model(get, tmp_path):
    folder = make_folder(tmp_path / "made")
    save_model(fit_model(vectorizer="count"), folder / "models/model.skops")
    card = get("GET", "/v1/model", make_settings(folder, tmp_path)).json()
    assert card["metrics"] is None
    assert card["intervals"] is None
    assert card["robustness"] is None
    assert card["training"] is None
    assert card["plots"] == []


def test_a_plot_is_shown_and_no_other_file(get):
    answer = get("GET", "/v1/model/plots/roc")
    assert answer.content == PNG
    assert answer.headers["content-type"] == "image/png"
    for name in ("pr", "*", "..%2f..%2fmetrics.json", "%2e%2e", "roc.png"):
        check_problem(get("GET", f"/v1/model/plots/{name}"), 404, "")


def test_feedback_is_off_unless_it_is_configured(get):
    answer = get("POST", "/v1/feedback", json={"text": HAM, "label": "ham"})
    check_problem(answer, 404, "FEEDBACK_URL")


def test_feedback_is_stored_with_what_the_model_says(get, model_folder, tmp_path):
    from feedback.store import list_feedback, open_store

    url = f"sqlite:///{tmp_path}/feedback.db"
    settings = make_settings(model_folder, tmp_path, feedback_url=url)
    answer = get("POST", "/v1/feedback", settings, json={"text": SPAM, "label": "ham"})
    assert answer.status_code == 201
    assert answer.json()["predicted"]["label"] == "spam"
    engine = open_store(url)
    (row,) = list_feedback(engine, "pending")
    engine.dispose()
    assert (row.id, row.inputs, row.answer) == (answer.json()["id"], SPAM, "ham")
    assert row.predicted == "spam"
    assert row.probability == answer.json()["predicted"]["probability"]
    assert row.model_version == answer.json()["predicted"]["model_version"]


@pytest.mark.parametrize("path", ["/v1/model", "/v1/model/plots/roc", "/metrics", "/", "/healthz"])
def test_a_method_that_an_address_lacks_is_named_before_its_content_type(get, path):
    check_problem(get("POST", path, content=b"a"), 405, "Allow")


def test_feedback_accepts_only_the_model_s_labels(get, model_folder, tmp_path):
    settings = make_settings(
        model_folder, tmp_path, feedback_url=f"sqlite:///{tmp_path}/feedback.db"
    )
    answer = get("POST", "/v1/feedback", settings, json={"text": SPAM, "label": "eggs"})
    check_problem(answer, 422, "must be ham or spam")


def test_feedback_that_cannot_be_stored_is_a_problem_without_secrets(
    get, model_folder, tmp_path, monkeypatch
):
    def fail(*_, **__):
        raise StoreError("disk full at sqlite:///secret")

    monkeypatch.setattr(api, "add_feedback", fail)
    settings = make_settings(
        model_folder, tmp_path, feedback_url=f"sqlite:///{tmp_path}/feedback.db"
    )
    answer = get("POST", "/v1/feedback", settings, json={"text": SPAM, "label": "ham"})
    check_problem(answer, 503, "could not be stored")
    assert "secret" not in answer.text


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/model", "/v1/feedback", "/metrics"])
@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic token", "token", "Bearer tökén"])
def test_the_token_guards_the_api(get, model_folder, tmp_path, path, header):
    settings = make_settings(model_folder, tmp_path, token="token")
    headers = {"Authorization": header.encode()} if header else {}
    answer = get("POST", path, settings, json={"text": SPAM}, headers=headers)
    check_problem(answer, 401, "Authorization: Bearer")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_who_has_the_token_is_let_in(get, model_folder, tmp_path):
    settings = make_settings(model_folder, tmp_path, token="tökén")
    headers = {"Authorization": "bearer tökén".encode()}
    assert get("GET", "/v1/model", settings, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/model", "/docs", "/static/docs.js", "/healthz", "/readyz", "/openapi.json"]
)
def test_pages_and_health_need_no_token(get, model_folder, tmp_path, path):
    settings = make_settings(model_folder, tmp_path, token="token")
    assert get("GET", path, settings).status_code == 200


@pytest.mark.parametrize("path", ["/", "/v1/model", "/healthz", "/nowhere", "/static/nothing.js"])
def test_every_answer_has_the_headers_that_browsers_obey(get, path):
    headers = get("GET", path).headers
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "server" not in headers


def test_answers_with_messages_are_not_kept_by_caches(get):
    assert get("POST", "/v1/predict", json={"text": HAM}).headers["cache-control"] == "no-store"


def test_browsers_ask_whether_pages_and_scripts_are_still_the_same(get):
    assert get("GET", "/").headers["cache-control"] == "no-cache"
    script = get("GET", "/static/docs.js")
    assert script.headers["cache-control"] == "no-cache"
    unchanged = {"If-None-Match": script.headers["etag"]}
    assert get("GET", "/static/docs.js", headers=unchanged).status_code == 304


def test_the_documentation_needs_nothing_from_elsewhere(get):
    page = get("GET", "/docs").text
    assert not re.search(r"(src|href)=.https?:", page)
    for source in re.findall(r'(?:src|href)="(static[^"]+)"', page):
        assert get("GET", f"/{source}").status_code == 200, source


def test_what_is_not_there_is_a_problem(get):
    check_problem(get("GET", "/nowhere"), 404, "see /docs")
    answer = get("GET", "/v1/predict")
    check_problem(answer, 405, "Allow")
    assert answer.headers["allow"] == "POST"


def test_an_error_of_ours_is_a_problem_and_is_counted(model_folder, tmp_path, monkeypatch):
    def fail(*_):
        raise KeyError("marker")

    async def talk(client):
        monkeypatch.setattr("service.serving_model.answer", fail)
        failed = await client.post("/v1/predict", json={"text": HAM})
        monkeypatch.undo()
        return failed, await client.post("/v1/predict", json={"text": HAM})

    failed, repaired = ask(make_settings(model_folder, tmp_path), talk)
    check_problem(failed, 500, "see its log")
    assert "marker" not in failed.text
    assert repaired.status_code == 200


def test_prometheus_gets_counts_of_requests_labels_and_scores(model_folder, tmp_path):
    async def talk(client):
        before = (await client.get("/metrics")).text
        await client.post("/v1/predict", json={"texts": [SPAM, HAM, HAM]})
        await client.post("/v1/predict", json={"text": 3})
        await client.request("BREW", "/teapot/1")
        return before, (await client.get("/metrics")).text

    before, after = ask(make_settings(model_folder, tmp_path), talk)

    def added(series):
        values = [
            re.findall(rf"^{re.escape(series)} (\S+)$", text, re.M) for text in (before, after)
        ]
        return float(values[1][0]) - float(values[0][0] if values[0] else 0)

    assert added('requests_total{method="POST",route="/v1/predict",status="200"}') == 1
    assert added('requests_total{method="POST",route="/v1/predict",status="422"}') == 1
    assert added('requests_total{method="other",route="none",status="404"}') == 1
    assert added('predictions_total{label="spam"}') == 1
    assert added('predictions_total{label="ham"}') == 2
    assert added("prediction_score_count") == 3
    assert added('request_duration_seconds_count{route="/v1/predict"}') == 2


def test_messages_are_logged_only_if_asked_for(get, model_folder, tmp_path, capsys):
    get("POST", "/v1/predict", json={"text": SPAM})
    assert SPAM not in capsys.readouterr().err
    settings = make_settings(model_folder, tmp_path, logs_messages=True)
    get("POST", "/v1/predict", settings, json={"text": f"{SPAM}\n\x1b[31m"})
    logged = capsys.readouterr().err
    assert SPAM in logged
    assert "\x1b" not in logged


def test_who_comes_while_too_many_wait_is_asked_to_come_again(model_folder, tmp_path):
    async def talk(client):
        client.app.state.service.batcher.waiting = 10**6
        answers = [
            await client.post("/v1/predict", json={"text": HAM}),
            await client.get("/readyz"),
        ]
        client.app.state.service.batcher.waiting = 0
        return [*answers, await client.get("/readyz")]

    refused, unready, ready = ask(make_settings(model_folder, tmp_path), talk)
    for answer in (refused, unready):
        check_problem(answer, 503, "try again")
        assert answer.headers["retry-after"] == "1"
    assert ready.json()["status"] == "ready"


def test_a_process_that_no_longer_scores_is_not_ready(model_folder, tmp_path):
    async def talk(client):
        client.app.state.service.scoring.cancel()
        await asyncio.sleep(0)
        return await client.get("/readyz")

    check_problem(ask(make_settings(model_folder, tmp_path), talk), 503, "try again")


def test_a_store_that_hangs_does_not_keep_pages_waiting(model_folder, tmp_path, monkeypatch):
    hangs = threading.Event()
    monkeypatch.setattr(api, "add_feedback", lambda *_, **__: hangs.wait(60))
    settings = make_settings(
        model_folder, tmp_path, feedback_url=f"sqlite:///{tmp_path}/feedback.db"
    )

    async def talk(client):
        correction = {"text": HAM, "label": "ham"}
        stored = [
            asyncio.ensure_future(client.post("/v1/feedback", json=correction)) for _ in range(60)
        ]
        while sum(task.done() for task in stored) < 40:
            await asyncio.sleep(0.01)
        page = await client.get("/static/docs.js")
        waiting = sum(not task.done() for task in stored)
        hangs.set()
        await asyncio.gather(*stored)
        return page.status_code, waiting

    assert ask(settings, talk) == (200, 20)


def test_the_description_has_only_problems_as_errors(get):
    description = get("GET", "/openapi.json").json()
    answers = description["paths"]["/v1/predict"]["post"]["responses"]
    assert list(answers["422"]["content"]) == ["application/problem+json"]
    assert {"400", "408", "413", "415", "422", "503"} <= set(answers)
    assert "401" not in answers
    assert "Problem" in description["components"]["schemas"]


def test_the_description_has_the_token_if_there_is_one(get, model_folder, tmp_path):
    settings = make_settings(model_folder, tmp_path, token="token")
    description = get("GET", "/openapi.json", settings).json()
    route = description["paths"]["/v1/predict"]["post"]
    assert route["security"] == [{"HTTPBearer": []}]
    assert "401" in route["responses"]
    assert "security" not in description["paths"]["/healthz"]["get"]


def test_a_new_process_serves_the_last_good_model_if_the_file_is_damaged(get, tmp_path):
    folder = make_folder(tmp_path / "made")
    private = tmp_path / "private"
    private.mkdir()
    settings = make_settings(folder, private)
    before = get("GET", "/v1/model", settings).json()
    (folder / "models/model.skops").write_bytes(b"garbage")
    after = get("GET", "/v1/model", settings).json()
    assert after["sha256"] == before["sha256"]
    (folder / "params.yaml").write_text("garbage")
    after = get("GET", "/v1/model", settings).json()
    assert (after["threshold"], after["labels"]) == (before["threshold"], before["labels"])
    shutil.copy(ROOT / "params.yaml", folder)
    shutil.rmtree(private)
    private.mkdir()
    with pytest.raises(ValueError, match=r"models/model\.skops is damaged or no model"):
        get("GET", "/v1/model", settings)
