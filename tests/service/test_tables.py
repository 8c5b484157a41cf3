"""Tests of what the service answers for models of tables, in this process."""

import asyncio
import json
import math
import re
import shutil
from collections import Counter

import pandas as pd
import pytest

from commands import predict
from feedback.store import list_feedback, open_store
from models.description import Column, read_description
from models.store import load_model
from service.answering import cut
from service.rows import REQUEST_VALUES, build_row_rules
from tests.support.application import ask, make_settings
from tests.support.built_table import SIZES, TASKS, make_source
from tests.support.small_model import read_version

# As the source of the training data names and orders the columns.
ROW = {"note": "as new", "group": "red", "price": 100.5, "size": "small", "sold": "2020-04-03"}
HEADERS = {"Content-Type": "application/json"}


@pytest.fixture
def post(built, tmp_path):
    """Return a function that posts bodies to the service of a task, and returns the answers."""

    def post(task, *bodies, path="/v1/predict", **settings):
        async def talk(client):
            return [
                await client.post(
                    path,
                    content=body if isinstance(body, bytes) else json.dumps(body),
                    headers=HEADERS,
                )
                for body in bodies
            ]

        return ask(make_settings(built(task), tmp_path, **settings), talk)

    return post


def list_rows(task):
    """Return the rows of the training data as a program sends them."""
    found = make_source(task).drop(columns=["key", "target"])
    rows = []
    for row in found.to_dict("records"):
        for name, value in row.items():
            is_missing = pd.isna(value) or value == "?"
            row[name] = None if is_missing else value
        if row["price"] is not None:
            row["price"] = float(row["price"].replace(",", "."))
        rows.append(row)
    return rows


@pytest.mark.parametrize("task", TASKS)
def test_rows_get_what_predict_gives(post, built, tmp_path, monkeypatch, task):
    source = tmp_path / "rows.csv"
    make_source(task).to_csv(source, sep=";", index=False)
    target = tmp_path / "scored.jsonl"
    rows = [row for row in list_rows(task) if row["price"] is None or row["price"] > 0]
    lines = tmp_path / "rows.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.chdir(built(task))
    predict.main(["--input", str(lines), "--output", str(target)])
    expected = [json.loads(line) for line in target.read_text().splitlines()]
    [answer] = post(task, {"rows": rows})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert len(found["predictions"]) == len(expected) == len(rows)
    for one, other in zip(found["predictions"], expected, strict=True):
        names = set(one) - {"warnings", "probabilities"}
        assert names >= {"prediction"} or names >= {"label", "probability"}
        assert {name: one[name] for name in names} == {name: other[name] for name in names}
    assert found["model_version"] == expected[0]["model_version"]


def test_each_task_has_its_own_answer(post):
    [binary], [several], [number] = (post(task, {"row": ROW}) for task in TASKS)
    assert list(binary.json()) == ["model_version", "threshold", "predictions"]
    assert list(binary.json()["predictions"][0]) == ["label", "probability", "warnings"]
    assert list(several.json()) == ["model_version", "predictions"]
    [row] = several.json()["predictions"]
    assert row["probability"] == row["probabilities"][row["label"]]
    assert math.isclose(sum(row["probabilities"].values()), 1, abs_tol=1e-6)
    assert list(number.json()) == ["model_version", "coverage", "predictions"]
    [row] = number.json()["predictions"]
    assert row["lower"] < row["prediction"] < row["upper"]


def test_other_names_and_columns_are_taken(post):
    renamed = {"colour" if name == "group" else name: value for name, value in ROW.items()}
    more = {"row": {**ROW, "other": 1}, "unknown_columns": "ignore"}
    many = {"rows": [{**ROW, "other": 1}], "unknown_columns": "ignore"}
    answers = post("regression", {"row": ROW}, {"row": renamed}, more, many)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1


def test_dates_may_be_written_as_in_the_training_data_or_as_iso_8601(post):
    dates = ["03.04.2020", "2020-04-03", "2020-04-03T00:00:00", "2020-04-03T02:00:00+02:00"]
    [answer] = post("regression", {"rows": [{**ROW, "sold": date} for date in dates]})
    assert len({row["prediction"] for row in answer.json()["predictions"]}) == 1


def test_unusual_values_are_warned_of(post):
    odd = {**ROW, "price": 1e6, "group": "violet", "sold": "1999-01-01"}
    [answer] = post("regression", {"rows": [ROW, odd, dict.fromkeys(ROW)]})
    usual, unusual, missing = answer.json()["predictions"]
    assert usual["warnings"] == missing["warnings"] == []
    assert {each["column"]: each["problem"] for each in unusual["warnings"]} == {
        "price": "outside the training range",
        "sold": "outside the training range",
        "group": "unseen value",
    }


BAD_BODIES = [
    ({}, "/row", "field required"),
    ({"rows": []}, "/rows", "at least 1 item"),
    ({"rows": [ROW] * 1001}, "/rows", "at most 1000 items"),
    ({"rows": ROW}, "/rows", "valid list"),
    ({"row": ROW, "rows": [ROW]}, "/row", "not permitted"),
    ({"rows": [ROW], "explain": True}, "/explain", "not permitted"),
    ({"row": ROW, "unknown_columns": "drop"}, "/unknown_columns", "'refuse' or 'ignore'"),
    ({"row": [ROW]}, "/row", "must be an object"),
    ({"rows": [ROW, None]}, "/rows/1", "must be an object"),
    ({"rows": [ROW, "text"]}, "/rows/1", "must be an object"),
    ({"row": {}}, "/row/note", "field required"),
    ({"row": {**ROW, "a/b": 1}}, "/row/a~1b", "is no column of the model"),
    ({"row": {**ROW, "\ud800": 1}}, "/row/?", "is no column of the model"),
    ({"row": {f"k{n}": n for n in range(10_000)}}, "/row", "has 10,000 columns that"),
    ({"row": {**ROW, "price": "100,5"}}, "/row/price", "valid number"),
    ({"row": {**ROW, "price": "dear"}}, "/row/price", "valid number"),
    ({"row": {**ROW, "price": True}}, "/row/price", "valid number"),
    ({"row": {**ROW, "price": [1]}}, "/row/price", "valid number"),
    ({"row": {**ROW, "price": math.nan}}, "/row/price", "finite number"),
    ({"row": {**ROW, "price": math.inf}}, "/row/price", "finite number"),
    (json.dumps({"row": ROW}).replace("100.5", "1e400").encode(), "/row/price", "finite"),
    ({"row": {**ROW, "price": 10**400}}, "/row/price", "number"),
    ({"row": {**ROW, "price": 1e39}}, "/row/price", "less than or equal to 3402"),
    ({"row": {**ROW, "price": -1}}, "/row/price", "too small, above is 0"),
    ({"row": {**ROW, "size": "huge"}}, "/row/size", "'small', 'medium' or 'large'"),
    ({"row": {**ROW, "size": 1}}, "/row/size", "'small', 'medium' or 'large'"),
    ({"row": {**ROW, "group": 1}}, "/row/group", "valid string"),
    ({"row": {**ROW, "group": "x" * 1001}}, "/row/group", "at most 1000 characters"),
    ({"row": {**ROW, "group": "\ud800"}}, "/row/group", "unicode"),
    ({"row": {**ROW, "sold": "30.02.2020"}}, "/row/sold", "not a date like %d.%m.%Y"),
    ({"row": {**ROW, "sold": "2020-02-30"}}, "/row/sold", "not a date"),
    ({"row": {**ROW, "sold": ""}}, "/row/sold", "at least 1 character"),
    ({"row": {**ROW, "sold": 20200403}}, "/row/sold", "valid string"),
    ({"row": {**ROW, "note": "x" * 10_001}}, "/row/note", "at most 10000 characters"),
    (b'{"row": {"note": "a", "note": "b"}}', "", "the same key twice"),
    (b'{"rows": [], "rows": []}', "", "the same key twice"),
]


def test_a_request_that_is_not_valid_gets_the_column_at_fault(post):
    answers = post("regression", *(body for body, _, _ in BAD_BODIES))
    for answer, (body, pointer, detail) in zip(answers, BAD_BODIES, strict=True):
        assert answer.status_code == 422, body
        first = answer.json()["errors"][0]
        assert first["pointer"] == pointer, body
        assert detail in first["detail"], body
        assert len(answer.content) < 10_000


def test_each_row_at_fault_is_named(post):
    rows = [ROW, {**ROW, "price": -1}, ROW, {**ROW, "sold": "x"}]
    [answer] = post("regression", {"rows": rows})
    assert [each["pointer"] for each in answer.json()["errors"]] == [
        "/rows/1/price",
        "/rows/3/sold",
    ]


def test_a_large_request_gets_few_errors(post):
    [answer] = post("regression", {"rows": [{}] * 1000})
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 20
    assert len(answer.content) < 10_000


def test_texts_of_all_rows_count_together(post):
    rows = [{**ROW, "note": "a" * 10_000}] * 11
    [answer] = post("regression", {"rows": rows})
    assert answer.status_code == 413
    assert "more than 100,000 characters together" in answer.json()["detail"]


@pytest.mark.parametrize("task", TASKS)
def test_an_explanation_names_columns_with_their_values(post, task):
    [answer] = post(task, {"row": ROW, "explain": True})
    found = answer.json()["predictions"][0]["explanation"]
    assert found["kind"] == ("changes" if task == "multiclass" else "contributions")
    values = {each["name"]: each["value"] for each in found["items"]}
    assert values["price"] == "100.5"
    assert values["group"] == "red"
    sizes = [abs(each["change"]) for each in found["items"]]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(
    ("column", "kind", "n_points"),
    [
        ("price", "number", 41),
        ("group", "category", 3),
        ("size", "ordinal", 3),
        ("sold", "date", 41),
    ],
)
def test_a_curve_has_the_predictions_for_other_values(post, column, kind, n_points):
    body = {"row": ROW, "column": column}
    [answer] = post("regression", body, path="/v1/curve")
    curve = answer.json()
    assert (curve["column"], curve["kind"]) == (column, kind)
    values = [point["value"] for point in curve["points"]]
    assert len(values) == n_points
    rows = [{**ROW, column: value} for value in values]
    [answer] = post("regression", {"rows": rows})
    found = [point["prediction"] for point in curve["points"]]
    assert found == [row["prediction"] for row in answer.json()["predictions"]]
    assert len(set(found)) > 1


def test_a_curve_has_the_number_of_the_task(post):
    bodies = [{"row": ROW, "column": name} for name in ("size", "colour")]
    for task, name in (("binary", "probability"), ("multiclass", "probabilities")):
        for answer in post(task, *bodies, path="/v1/curve"):
            assert {key for each in answer.json()["points"] for key in each} == {"value", name}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"row": ROW, "column": "note"}, "/column"),
        ({"row": ROW, "column": "other"}, "/column"),
        ({"row": {**ROW, "price": -1}, "column": "size"}, "/row/price"),
        ({"row": {**ROW, "more": 1}, "column": "size"}, "/row/more"),
        ({"row": ROW}, "/column"),
    ],
)
def test_a_curve_that_cannot_be_drawn_is_refused(post, body, pointer):
    [answer] = post("regression", body, path="/v1/curve")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("task", "right"),
    [
        ("binary", {"label": "no"}),
        ("multiclass", {"label": "dear"}),
        ("regression", {"number": 12.5}),
    ],
)
def test_a_correct_answer_is_stored_with_its_row(post, tmp_path, task, right):
    url = f"sqlite:///{tmp_path}/feedback.db"
    [answer] = post(task, {"row": ROW, **right}, path="/v1/feedback", feedback_url=url)
    assert answer.status_code == 201, answer.text
    assert answer.json() | right == answer.json()
    engine = open_store(url)
    [row] = list_feedback(engine, "pending")
    engine.dispose()
    # As the source writes dates.
    assert row.inputs == {**ROW, "sold": "03.04.2020"}
    assert [row.answer] == list(right.values())
    assert row.predicted in answer.json()["predicted"].values()


@pytest.mark.parametrize(
    ("task", "body", "pointer"),
    [
        ("multiclass", {"row": ROW, "label": "free"}, "/label"),
        ("regression", {"row": ROW, "label": "free"}, "/number"),
        ("regression", {"row": ROW, "number": math.nan}, "/number"),
        ("regression", {"row": {**ROW, "price": -1}, "number": 1}, "/row/price"),
        ("regression", {"row": {**ROW, "note": "a\0"}, "number": 1}, "/row"),
    ],
)
def test_an_answer_that_cannot_be_right_is_refused(post, tmp_path, task, body, pointer):
    url = f"sqlite:///{tmp_path}/feedback.db"
    [answer] = post(task, body, path="/v1/feedback", feedback_url=url)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer


def get(built, task, tmp_path, path):
    async def talk(client):
        await client.post("/v1/predict", json={"rows": [ROW, ROW]})
        return await client.get(path)

    return ask(make_settings(built(task), tmp_path), talk)


def test_the_card_describes_columns_and_target(built, tmp_path):
    card = get(built, "regression", tmp_path, "/v1/model").json()
    assert card["task"] == "regression"
    assert card["labels"] is card["threshold"] is card["positive"] is None
    assert card["coverage"] == 0.9
    assert {each["name"]: each["kind"] for each in card["columns"]} == {
        "note": "text",
        "group": "category",
        "price": "number",
        "size": "ordinal",
        "sold": "date",
    }
    # It changes predictions most.
    assert card["columns"][0]["name"] == "size"
    assert "effect" not in card["columns"][0]
    assert len(card["target"]["edges"]) == len(card["target"]["heights"]) + 1
    card = get(built, "multiclass", tmp_path, "/v1/model").json()
    assert card["classes"] == ["cheap", "dear", "fair"]
    assert sum(card["target"]["counts"].values()) > 200


def test_the_description_has_the_columns_of_the_model(built, tmp_path):
    schemas = get(built, "regression", tmp_path, "/openapi.json").json()["components"]["schemas"]
    properties = schemas["Row"]["properties"]
    assert list(properties) == ["note", "price", "group", "size", "sold"]
    assert schemas["Row"]["required"] == list(properties)
    assert schemas["Row"]["additionalProperties"] is False
    assert schemas["WiderRow"]["additionalProperties"] is True
    assert properties["price"]["anyOf"][0]["exclusiveMinimum"] == 0
    assert properties["size"]["anyOf"][0]["enum"] == SIZES
    assert "in the training data" in properties["price"]["description"]
    [example] = schemas["Row"]["examples"]
    assert set(example) == set(properties)
    assert schemas["ManyRows"]["properties"]["rows"]["maxItems"] == 1000
    assert schemas["ManyRows"]["properties"]["rows"]["items"]["$ref"].endswith("/Row")


def test_the_example_of_the_description_is_answered(built, post, tmp_path):
    for task in TASKS:
        schemas = get(built, task, tmp_path, "/openapi.json").json()["components"]["schemas"]
        [answer] = post(task, {"row": schemas["Row"]["examples"][0]})
        assert answer.status_code == 200


def test_prometheus_gets_numbers_and_the_model(built, tmp_path):
    text = get(built, "regression", tmp_path, "/metrics").text
    assert re.search(r'model_info\{name="[\w-]+",task="regression",version="\w{12}"\} 1', text)
    assert re.search(r'prediction_value_count\{model="\w{12}"\} 2', text)
    text = get(built, "multiclass", tmp_path, "/metrics").text
    assert 'predictions_total{label="' in text


def test_the_log_has_rows_only_if_asked_for(post, capsys):
    row = {**ROW, "note": "as\nnew", "sold": "03.04.2020"}
    post("regression", {"row": row})
    assert "new" not in capsys.readouterr().err
    post("regression", {"row": row}, logs_messages=True)
    [line] = [line for line in capsys.readouterr().err.splitlines() if "new" in line]
    assert json.loads(line[line.index("{") :]) == row


def test_pieces_cost_little_and_keep_the_order():
    rows = [[n] for n in range(250)]
    pieces, sizes = cut(rows, [1] * 250)
    assert [len(piece) for piece in pieces] == sizes == [100, 100, 50]
    pieces, sizes = cut(rows, [5000] * 250)
    assert [row for piece in pieces for row in piece] == rows
    assert sizes == [5000] * 250


def test_thousands_of_columns_are_served(built):
    path = built("regression") / "models/model.skops"
    description = read_description(load_model(path), path)
    names = [f"x {number}" for number in range(3000)]
    data = description.data.model_copy(
        update={"number": names, "text": [], "category": [], "ordinal": [], "date": []}
    )
    wide = description.model_copy(
        update={"data": data, "columns": [Column(name=name, kind="number") for name in names]}
    )
    rules = build_row_rules(wide)
    assert rules.max_rows == REQUEST_VALUES // 3000
    values, errors = rules.check([dict.fromkeys(names, 1.5)], ("row",), ignores=False)
    assert (values, errors) == ([[1.5] * 3000], [])
    values, errors = rules.check([{}] * rules.max_rows, ("rows", 0), ignores=False)
    # Of one row alone.
    assert len(errors) == 3000


def test_no_request_is_checked_for_one_model_and_answered_by_another(built, model_folder, tmp_path):
    table, messages = built("regression"), model_folder
    model = tmp_path / "model.skops"
    settings = make_settings(table, tmp_path / "private", model=model)
    sources = [folder / "models/model.skops" for folder in (table, messages)]
    versions = [read_version(source) for source in sources]
    shutil.copyfile(sources[0], model)

    async def talk(client):
        service = client.app.state.service
        is_over = False
        seen = Counter()

        async def ask_always(body, version):
            while not is_over:
                answer = await client.post("/v1/predict", json=body)
                found = answer.json()
                if answer.status_code == 200:
                    assert found["model_version"] == version
                    assert ("threshold" in found) == (version == versions[1])
                else:
                    assert answer.status_code == 422
                seen[version, answer.status_code] += 1
                # A refusal takes no turn of the loop.
                await asyncio.sleep(0.001)

        async def ask_for_descriptions():
            while not is_over:
                schemas = (await client.get("/openapi.json")).json()["components"]["schemas"]
                has_texts = "text" in schemas["Row"]["properties"]
                assert has_texts == ("OneMessage" in schemas)
                seen["description", has_texts] += 1
                await asyncio.sleep(0.001)

        asking = [
            asyncio.ensure_future(coroutine)
            for coroutine in (
                ask_always({"row": ROW}, versions[0]),
                ask_always({"rows": [ROW] * 20}, versions[0]),
                ask_always({"text": "WIN cash"}, versions[1]),
                ask_always({"row": {"text": "WIN cash"}}, versions[1]),
                ask_for_descriptions(),
            )
        ]
        for number in range(1, 5):
            shutil.copyfile(sources[number % 2], model)
            await service.models.reload()
            assert service.models.current.version == versions[number % 2]
            await asyncio.sleep(0.1)
        is_over = True
        await asyncio.gather(*asking)
        return seen

    seen = ask(settings, talk)
    for version in versions:
        assert seen[version, 200]
        assert seen[version, 422]
    assert seen["description", True]
    assert seen["description", False]
