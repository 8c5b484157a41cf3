"""Tests of the web page for models of tables, in a real browser, against a service that runs."""

import csv
import io
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.support.page_actions import change_answer, download, make_file, predict_usual
from tests.support.running_service import RunningService

TASKS = ("binary", "multiclass", "regression")
ROW = {
    "title": "old chair",
    "note": "call me",
    "price": 20.5,
    "weight": -3,
    "colour": "green",
    "town": "town 3",
    "size": "small",
    "sold": "2021-03-04",
    "seen": "2021-03-04T05:06",
}
HOSTILE = ["x" * 200, "<img src=x onerror=alert(1)>", "مرحبا", "a" + "\u0301" * 60, "__proto__"]
# By how much the elements of the page have moved after they were first shown.
SHIFTS = """new Promise((resolve) => {
  new PerformanceObserver((list) => resolve(list.getEntries().reduce((s, e) => s + e.value, 0)))
    .observe({ type: "layout-shift", buffered: true });
  setTimeout(() => resolve(0), 300);
})"""


def fill(page: Page, **values: object) -> None:
    """Fill in fields by the names of their columns."""
    for name, value in values.items():
        field = page.locator("#row").get_by_label(name)
        if field.evaluate("(e) => e.tagName") == "SELECT":
            field.select_option(str(value))
        else:
            field.fill(str(value))


def predict_row(page: Page, **values: object) -> None:
    """Fill in fields and wait for the prediction."""
    fill(page, **values)
    with page.expect_response("**/v1/curve"):
        page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator(".curve[aria-busy]")).to_have_count(0)


def ask(page: Page, service: RunningService, path: str, body: dict) -> dict:
    """Return the service's answer to a program."""
    response = page.request.post(f"{service.url}{path}", data=body)
    assert response.ok, response.text()
    return response.json()


@pytest.mark.parametrize("task", TASKS)
def test_the_first_click_gives_a_prediction_with_reasons_and_a_curve(serve_table, open_page, task):
    service = serve_table(task)
    page = open_page(service)
    expect(page.get_by_role("heading", level=1)).to_have_text("Predict target")
    expect(page).to_have_title(f"Predict target – small-{task}")
    expect(page.locator("#lede")).to_contain_text("Predicts from a small table.")
    sent = change_answer(page, "**/v1/predict", lambda *_: None)
    predict_usual(page)
    [body] = sent
    model = page.request.get(f"{service.url}/v1/model").json()
    assert list(body["row"]) == [column["name"] for column in model["columns"]]
    result = page.get_by_role("region", name="Prediction")
    expect(result.get_by_role("heading", name="What matters here")).to_be_visible()
    [found] = ask(page, service, "/v1/predict", {"row": body["row"]})["predictions"]
    if task == "regression":
        expect(result.locator(".label")).to_contain_text("EUR")
        expect(result).to_contain_text("90% interval")
        expect(result.get_by_role("img", name="Histogram of target")).to_be_visible()
    else:
        expect(result.locator(".label")).to_have_text(found["label"])
    if task == "binary":
        expect(result.get_by_role("meter", name="Probability of yes")).to_be_visible()
    if task == "multiclass":
        ranked = sorted(found["probabilities"], key=lambda label: -found["probabilities"][label])
        expect(result.locator(".bars .of").first).to_have_text(ranked[0])
        expect(result.locator(".bars").first.get_by_role("listitem")).to_have_count(3)


def test_one_value_can_be_varied(serve_table, open_page):
    page = open_page(serve_table("regression"))
    predict_usual(page)
    choice = page.get_by_label("Column that varies")
    for name, shape in (("price", ".lines .line"), ("seen", ".lines .line"), ("size", ".bars")):
        choice.select_option(label=name)
        expect(page.locator(f".curve {shape}")).to_be_visible()
        expect(page.locator(".curve")).to_contain_text(f"if only {name} were another")
    page.get_by_text("As a table").click()
    table = page.locator(".curve").get_by_role("table")
    expect(table.get_by_role("rowheader")).to_have_text(["small", "medium", "large"])
    expect(choice.locator("option")).not_to_contain_text(["title"])


def test_a_row_is_sent_as_it_was_entered_and_an_empty_field_as_missing(serve_table, open_page):
    page = open_page(serve_table("regression"))
    sent = change_answer(page, "**/v1/predict", lambda *_: None)
    predict_row(page, price=" 20.50 ", weight="-1e1", size="small", sold="2021-03-04")
    predict_row(page, seen="2021-03-04T05:06", colour="red", note="<b>a</b>")
    missing = dict.fromkeys(ROW)
    first = {"price": 20.5, "weight": -10, "size": "small", "sold": "2021-03-04"}
    assert sent[0]["row"] == missing | first
    second = {"seen": "2021-03-04T05:06", "colour": "red", "note": "<b>a</b>"}
    assert sent[1]["row"] == missing | first | second
    assert page.locator("#result b").count() == 0


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("0,7", "without commas"),
        ("1,000.5", "without commas"),
        ("much", "not a number"),
        ("Infinity", "not a number"),
        ("0x10", "not a number"),
        ("1e400", "too large"),
    ],
)
def test_a_number_that_cannot_be_read_is_reported_at_its_field(
    serve_table, open_page, text, complaint
):
    page = open_page(serve_table("regression"))
    sent = change_answer(page, "**/v1/predict", lambda *_: None)
    page.locator("#verdict").evaluate("(e) => { e.hidden = false; }")
    fill(page, price=text)
    page.get_by_role("button", name="Predict", exact=True).click()
    field = page.locator("#row").get_by_label("price")
    expect(field).to_be_focused()
    expect(page.locator("#verdict")).to_be_hidden()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("alert")).to_contain_text(complaint)
    expect(field).to_have_value(text)
    field.fill("1")
    expect(page.get_by_role("alert")).to_have_count(0)
    assert sent == []


def test_an_empty_form_is_not_sent(serve_table, open_page):
    page = open_page(serve_table("regression"))
    sent = change_answer(page, "**/v1/predict", lambda *_: None)
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("There are no values yet")
    assert sent == []


def test_a_refusal_is_shown_at_the_field_that_it_names(serve_table, open_page):
    page = open_page(serve_table("regression"), refusals=1)
    errors = [{"pointer": "/row/weight", "detail": "must be heavier"}]
    problem = {"status": 422, "detail": "/row/weight: must be heavier", "errors": errors}
    page.route("**/v1/predict", lambda route: route.fulfill(status=422, json=problem))
    fill(page, weight="1")
    page.get_by_role("button", name="Predict", exact=True).click()
    field = page.locator("#row").get_by_label("weight")
    expect(field).to_be_focused()
    expect(field).to_have_accessible_description(re.compile("-37.* to 21.* must be heavier[.]"))


def test_unusual_values_are_warned_of(serve_table, open_page):
    page = open_page(serve_table("regression"))
    predict_usual(page)
    expect(page.get_by_role("group", name="Warnings")).to_have_count(0)
    predict_row(page, price="5000")
    warnings = page.get_by_role("group", name="Warnings")
    expect(warnings).to_contain_text("price is 5000\u00a0EUR: outside the training range, 0.9 to")
    page.get_by_label("Column that varies").select_option(label="price")
    expect(page.locator(".curve")).to_contain_text("The value of this row is outside.")
    expect(page.locator(".curve .dot")).to_have_count(0)


@pytest.mark.parametrize("task", TASKS)
def test_the_right_answer_is_sent_with_the_row(serve_table, open_page, task):
    page = open_page(serve_table(task))
    change_answer(page, "**/v1/model", lambda answer, _: answer.update(feedback=True))
    page.reload()
    bodies: list[dict] = []

    def store(route: Route) -> None:
        bodies.append(route.request.post_data_json)
        route.fulfill(status=201, json={"id": 1})

    page.route("**/v1/feedback", store)
    sent = change_answer(page, "**/v1/predict", lambda *_: None)
    predict_usual(page)
    label = page.locator(".verdict .label").text_content()
    box = page.locator(".feedback")
    if task == "regression":
        box.get_by_role("button", name="Send").click()
        expect(box.get_by_role("alert")).to_have_text("Enter the right number.")
        box.get_by_label("The right number (EUR)").fill("12.5")
        box.get_by_role("button", name="Send").click()
        right: dict[str, object] = {"number": 12.5}
    elif task == "multiclass":
        other = next(one for one in ("bad", "fair", "good") if one != label)
        box.get_by_label("No, the right label is").select_option(label=other)
        box.get_by_role("button", name="Send").click()
        right = {"label": other}
    else:
        other = "no" if label == "yes" else "yes"
        box.get_by_role("button", name=f"No, it is {other}").click()
        right = {"label": other}
    expect(page.get_by_text("is stored.")).to_be_focused()
    assert bodies == [{"row": sent[0]["row"], **right}]


@pytest.mark.parametrize("task", TASKS)
def test_a_file_gets_the_columns_of_the_command_line(serve_table, open_page, task):
    service = serve_table(task)
    # The service alone knows what a date is, and refuses it.
    page = open_page(service, refusals=1)
    others = {"price": "much", "size": "tiny", "sold": "someday"}
    rows = [ROW, {**ROW, "weight": ""}, *({**ROW, name: text} for name, text in others.items())]
    names = ["id", *reversed(ROW)]
    lines = [[number, *(row[name] for name in reversed(ROW))] for number, row in enumerate(rows)]
    lines.append([len(rows), *lines[0][1:], "too many"])
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([names, *lines])
    page.get_by_label("Choose a file").set_input_files(make_file(text.getvalue()))
    expect(page.locator("#sample")).to_have_text(
        'All 9 columns of the model were found. Others are kept as they are: "id".'
    )
    page.get_by_role("button", name="Predict for the file").click()
    expect(page.get_by_role("heading", name="2 of 6 rows scored")).to_be_visible()
    header, *found = csv.reader(io.StringIO(download(page)))
    answer = ["prediction", "lower", "upper"] if task == "regression" else ["label", "probability"]
    assert header == [*names, *answer, "warnings", "model_version", "reason"]
    sent = {"rows": [ROW, {**ROW, "weight": None}]}
    wanted = ask(page, service, "/v1/predict", sent)["predictions"]
    for row, one in zip(found[:2], wanted, strict=True):
        cells = dict(zip(header, row, strict=True))
        assert [cells[name] for name in answer] == [str(one[name]) for name in answer]
        assert cells["reason"] == cells["warnings"] == ""
    reasons = [row[-1] for row in found[2:]]
    assert reasons[:2] == ["price: not a number", "size: value not in its order"]
    assert reasons[2].startswith("sold: ")
    assert reasons[3] == "wrong number of fields: 11, expected 10"
    expect(page.get_by_text("1 row not scored: price: not a number (line 4).")).to_be_visible()


def test_a_file_without_a_column_of_the_model_is_refused(serve_table, open_page):
    page = open_page(serve_table("regression"))
    page.get_by_label("Choose a file").set_input_files(make_file("price,weight\n1,2\n"))
    expect(page.get_by_role("alert")).to_contain_text("has no columns")
    expect(page.get_by_role("alert")).to_contain_text('"colour"')


def add_columns(answer: dict, _: int) -> None:
    """Give a model 500 columns with names and values that are hard to show."""
    known = {column["kind"]: column for column in answer["columns"]}
    names = [*HOSTILE, *(f"column {number}" for number in range(500 - len(HOSTILE)))]
    kinds = ["category", "number", "ordinal", "date"]
    answer["columns"] = [
        {**known[kinds[i % 4]], "name": name, "unit": "u" * 20} for i, name in enumerate(names)
    ]
    for column in answer["columns"]:
        if column["kind"] in ("category", "ordinal"):
            column.update(values=[*HOSTILE, *map(str, range(100))], n_values=5000, usual=HOSTILE[0])
    answer.update(name="n" * 60, summary="s" * 300)


@pytest.mark.parametrize("width", [360, 1280])
def test_many_columns_with_hard_names_and_values_do_no_harm(serve_table, open_page, width):
    page = open_page(serve_table("regression"))
    page.set_viewport_size({"width": width, "height": 800})
    page.on("dialog", lambda _: pytest.fail("a name was run as a script"))
    change_answer(page, "**/v1/model", add_columns)
    page.reload()
    items = [{"name": name, "value": name, "change": i + 1.0} for i, name in enumerate(HOSTILE)]
    points = [{"value": name, "prediction": i} for i, name in enumerate(HOSTILE)]
    answer = {
        "model_version": page.request.get(page.url + "v1/model").json()["version"],
        "predictions": [
            {
                "prediction": 1.5,
                "warnings": [{"column": name, "problem": "unseen value"} for name in HOSTILE],
                "explanation": {"kind": "changes", "of": "target", "items": items},
            }
        ],
    }
    curve = {"column": HOSTILE[0], "kind": "category", "points": points}
    sent: list[dict] = []

    def predict(route: Route) -> None:
        sent.append(route.request.post_data_json)
        route.fulfill(json=answer)

    page.route("**/v1/predict", predict)
    page.route("**/v1/curve", lambda route: route.fulfill(json=curve))
    expect(page.locator("#fields .entry")).to_have_count(12)
    expect(page.locator("#more .entry")).to_have_count(0)
    page.get_by_text("More columns (488), filled with their usual values").click()
    expect(page.locator("#more .entry")).to_have_count(488)
    predict_usual(page)
    assert len(sent[0]["row"]) == 500
    for name in HOSTILE:
        expect(page.locator(".reasons .name", has_text=name)).to_have_text(name)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.goto(page.url + "model")
    expect(page.get_by_role("heading", name="Columns")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    expect(page.locator("main :is(img:not(.plot), script)")).to_have_count(0)


def replace_model(page: Page, change: Callable[[dict], None]) -> None:
    """Have the service answer as if it had loaded another model."""

    def change_model(answer: dict, _: int) -> None:
        answer.update(version="f" * 12)
        change(answer)

    change_answer(page, "**/v1/model", change_model)
    change_answer(page, "**/v1/predict", lambda answer, _: answer.update(model_version="f" * 12))


def test_a_new_model_with_other_columns_gets_its_form_and_no_value_is_lost_silently(
    serve_table, open_page
):
    page = open_page(serve_table("regression"))
    fill(page, price="20.5", town="town 3", note="call me")

    def drop_columns(answer: dict) -> None:
        answer["columns"] = [one for one in answer["columns"] if one["name"] != "town"]
        answer["columns"][0]["minimum"] = 0

    replace_model(page, drop_columns)
    page.get_by_role("button", name="Predict", exact=True).click()
    notice = page.get_by_role("alert").filter(has_text="another model")
    expect(notice).to_contain_text("These values have no place in the form:")
    expect(notice.get_by_role("listitem")).to_have_text(["town: town 3"])
    expect(page.locator("#row").get_by_label("town")).to_have_count(0)
    expect(page.locator("#row").get_by_label("price")).to_have_value("20.5")
    expect(page.locator("#row").get_by_label("note")).to_have_value("call me")
    expect(page.get_by_role("region", name="Prediction")).to_be_visible()
    notice.get_by_role("button", name="Close").click()
    expect(notice).to_have_count(0)


def test_a_model_of_tables_after_one_of_messages_shows_its_form(service, open_page):
    page = open_page(service, refusals=1)
    page.get_by_label("Message", exact=True).fill("WIN cash")
    column = {"name": "price", "kind": "number", "values": [], "n_values": 0, "is_needed": True}

    def replace(answer: dict, _: int) -> None:
        answer.update(version="f" * 12, is_messages=False, columns=[column])

    change_answer(page, "**/v1/model", replace)
    problem = {"status": 422, "detail": "the row is missing"}
    page.route("**/v1/predict", lambda route: route.fulfill(status=422, json=problem))
    page.keyboard.press("Control+Enter")
    notice = page.get_by_role("alert").filter(has_text="another model")
    expect(notice.get_by_role("listitem")).to_have_text(["text: WIN cash"])
    expect(page.locator("#message")).to_be_hidden()
    expect(page.locator("#row").get_by_label("price")).to_have_attribute("required", "")


def test_a_new_model_with_the_same_columns_changes_nothing_but_the_answer(serve_table, open_page):
    page = open_page(serve_table("regression"))
    fill(page, price="20.5")
    replace_model(page, lambda _: None)
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_role("region", name="Prediction")).to_be_visible()
    expect(page.locator("#notices")).to_be_empty()
    expect(page.locator("#about-model")).to_contain_text("f" * 12)


def test_the_page_says_nothing_wrong_before_it_knows_the_model(serve_table, open_page):
    page = open_page(serve_table("regression"))
    held: list[Route] = []
    page.route("**/v1/model", lambda route: held.append(route))
    page.reload()
    for hidden in ("#brand", "#title", "#lede", "footer", "#row", "#message", "#file"):
        expect(page.locator(hidden)).to_be_hidden()
    held[0].continue_()
    expect(page.locator("#brand")).to_have_text("small-regression")
    expect(page.locator("#brand")).to_be_visible()
    assert page.evaluate(SHIFTS) == 0


def test_a_model_that_cannot_be_read_can_be_tried_again(serve_table, open_page):
    page = open_page(serve_table("regression"))
    page.route("**/v1/model", lambda route: route.fulfill(body="{}"))
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("cannot be read")
    page.unroute("**/v1/model")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#row")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize(
    ("task", "figures", "others"),
    [
        ("binary", ["90.00%", "10.00%", "80.00%"], ["0.7000 0.6900 to 0.7100"]),
        ("multiclass", ["80.00%", "0.7000"], ["0.5000 0.4900 to 0.5100", "55.00%"]),
        ("regression", ["0.5\u00a0EUR", "0.2500"], ["12.50% 11.50% to 13.50%", "−1.00% −2.00% to"]),
    ],
)
def test_the_model_page_shows_the_metrics_of_the_task(
    serve_table, open_page, task, figures, others
):
    page = open_page(serve_table(task), "/model")
    expect(page.locator(".figures .figure")).to_have_text(figures)
    for cell in others[:1]:
        expect(page.get_by_role("cell", name=cell).first).to_be_visible()
    table = page.get_by_role("table", name="Columns of the model")
    expect(table.get_by_role("row", name="size ordinal small < medium < large")).to_be_visible()
    expect(table.get_by_role("row", name="price (EUR) number 0.9 to")).to_be_visible()
    expect(page.get_by_role("heading", name="Distribution of target")).to_be_visible()
    expect(page.get_by_role("img", name="Importance of columns")).to_be_visible()
    if task == "multiclass":
        expect(page.get_by_role("row", name="bad 10 50.00% 60.00% 0.5500")).to_be_visible()
