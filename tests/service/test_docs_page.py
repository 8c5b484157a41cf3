"""Tests of the page on the API, in a real browser, against a service that runs."""

import pytest
from playwright.sync_api import Route, expect

from tests.support.page_actions import change_answer
from tests.support.running_service import run_service


def open_operation(page, name):
    """Open an operation, and return it."""
    operation = page.locator("details.operation", has_text=name)
    operation.locator("summary").click()
    return operation


def test_operations_are_grouped_and_named_for_people(service, open_page):
    page = open_page(service, "/docs")
    expect(page.get_by_role("heading", level=2)).to_have_text(
        ["Predict", "Model", "Feedback", "Operations", "Errors"]
    )
    expect(page.get_by_role("heading", level=3)).to_have_text(
        [
            "Predict for one or many",
            "Describe the model",
            "Get a plot of the evaluation",
            "Store a correct label or number",
            "Get metrics for Prometheus",
            "Check that the process answers",
            "Check that requests can be answered",
        ]
    )
    paths = page.request.get(f"{service.url}/openapi.json").json()["paths"]
    expect(page.locator("details.operation")).to_have_count(sum(map(len, paths.values())))
    expect(page.get_by_role("navigation").get_by_role("link")).to_have_count(3)


def test_fields_are_listed_with_their_types_and_limits(service, open_page):
    page = open_page(service, "/docs")
    operation = open_operation(page, "Predict for one or many")
    row = operation.get_by_role("row", name="texts")
    expect(row.get_by_role("cell")).to_have_text(
        ["list of strings", "A message as received. 1 to 1,000 items. Each 1 to 10,000 characters."]
    )
    explain = operation.get_by_role("row", name="explain").first
    expect(explain).to_contain_text("Optional.")
    expect(explain).to_contain_text("Default false.")
    head = page.get_by_role("rowheader", name="predictions[].words", exact=True)
    words = operation.get_by_role("row").filter(has=head)
    expect(words).to_contain_text("list of objects or null")
    expect(operation.get_by_role("row", name="predictions[].words[].word")).to_be_visible()
    expect(operation.locator(".codes")).to_contain_text("422 Unprocessable Content")


def test_an_operation_can_be_tried(service, open_page):
    page = open_page(service, "/docs", refusals=1)
    operation = open_operation(page, "Predict for one or many")
    body = operation.get_by_label("JSON body", exact=True)
    sent = change_answer(page, "**/v1/predict", lambda *_: None)
    operation.get_by_role("button", name="Many messages").click()
    operation.get_by_role("button", name="Send").click()
    answer = operation.get_by_role("group", name="Body")
    expect(answer).to_contain_text('"label": "spam"')
    assert sent == [{"texts": ["WINNER! Claim your prize now"]}]
    body.fill("""{"text": "it's"}""")
    operation.get_by_role("button", name="Send").click()
    expect(operation.get_by_role("group", name="Command")).to_have_text(
        f"curl --request POST '{service.url}/v1/predict' "
        """--header 'Content-Type: application/json' --data '{"text": "it'\\''s"}'"""
    )
    page.unroute("**/v1/predict")
    body.fill('{"text": ""}')
    operation.get_by_role("button", name="Send").click()
    expect(operation.get_by_text("Status 422")).to_be_visible()
    expect(answer).to_contain_text('"/text"')


def test_a_key_that_is_held_down_sends_one_request(service, open_page):
    page = open_page(service, "/docs")
    operation = open_operation(page, "Predict for one or many")
    sent = change_answer(page, "**/v1/predict", lambda *_: None)
    operation.get_by_role("button", name="Send").focus()
    for _ in range(5):
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    expect(operation.get_by_role("group", name="Body")).to_contain_text('"label": "spam"')
    with page.expect_response("**/v1/predict"):
        operation.get_by_role("button", name="Send").click()
    assert len(sent) == 2


def test_what_cannot_be_sent_is_said_beside_its_field(service, open_page):
    page = open_page(service, "/docs")
    operation = open_operation(page, "Predict for one or many")
    body = operation.get_by_label("JSON body", exact=True)
    body.fill('{"text": ')
    operation.get_by_role("button", name="Send").click()
    expect(operation.get_by_role("alert")).to_contain_text("This is not JSON")
    expect(body).to_have_attribute("aria-invalid", "true")
    expect(body).to_be_focused()
    body.fill("{}")
    expect(operation.get_by_role("alert")).to_have_count(0)
    plot = open_operation(page, "Get a plot")
    plot.get_by_role("button", name="Send").click()
    expect(plot.get_by_role("alert")).to_have_text("Fill this in.")


def test_a_plot_is_shown_and_the_token_is_asked_for(model_folder, open_page):
    with run_service(model_folder, SERVICE_TOKEN="token") as guarded:
        page = open_page(guarded, "/docs", refusals=1)
        operation = open_operation(page, "Get a plot")
        expect(operation).to_contain_text("Needs the access token.")
        operation.get_by_label("name", exact=True).fill("roc")
        operation.get_by_role("button", name="Send").click()
        page.get_by_label("Access token").fill("token")
        page.keyboard.press("Enter")
        expect(operation.get_by_role("img")).to_be_visible()
        assert page.evaluate("document.querySelector('.answer img').naturalWidth") == 1


def test_a_link_to_an_operation_opens_it(service, open_page):
    page = open_page(service, "/docs#get-readyz")
    operation = page.locator("details", has_text="Check that requests can be answered")
    expect(operation.get_by_role("button", name="Send")).to_be_visible()
    expect(page.get_by_role("button", name="Send")).to_have_count(1)


@pytest.mark.parametrize(
    "body",
    [
        "<html>Hello</html>",
        "{}",
        '{"info": {"title": "a", "version": "1"}, "paths": {"/a": {"get": null}}}',
    ],
)
def test_a_description_that_cannot_be_read_is_reported_in_a_sentence(service, open_page, body):
    page = open_page(service, "/docs")
    page.route("**/openapi.json", lambda route: route.fulfill(status=200, body=body))
    page.reload()
    expect(page.get_by_role("alert")).to_have_text(
        "The service's answer cannot be read: is another server running here?"
    )


def test_an_answer_that_only_claims_to_be_json_is_shown_as_it_is(service, open_page):
    page = open_page(service, "/docs", refusals=1)
    operation = open_operation(page, "Predict for one or many")
    page.route(
        "**/v1/predict",
        lambda route: route.fulfill(
            status=502, content_type="application/json", body="<h1>Bad Gateway</h1>"
        ),
    )
    operation.get_by_role("button", name="Send").click()
    expect(operation.get_by_text("Status 502")).to_be_visible()
    expect(operation.get_by_role("group", name="Body")).to_have_text("<h1>Bad Gateway</h1>")


def test_an_older_answer_does_not_replace_a_newer_one(service, open_page):
    page = open_page(service, "/docs")
    operation = open_operation(page, "Predict for one or many")
    held: list[Route] = []

    def hold_first(route: Route) -> None:
        held.append(route)
        if len(held) > 1:
            route.fulfill(json={"turn": len(held)})

    page.route("**/v1/predict", hold_first)
    send = operation.get_by_role("button", name="Send")
    answer = operation.get_by_role("group", name="Body")
    with page.expect_request("**/v1/predict"):
        send.click()
    send.click()
    expect(answer).to_contain_text('"turn": 2')
    with page.expect_response("**/v1/predict"):
        held[0].fulfill(json={"turn": 1})
    page.evaluate("new Promise((resolve) => setTimeout(resolve))")
    expect(answer).to_contain_text('"turn": 2')
    # Nor does an answer stay beside a body that cannot be sent.
    operation.get_by_label("JSON body", exact=True).fill("{")
    send.click()
    expect(answer).to_have_count(0)


@pytest.mark.parametrize("name", [".", ".."])
def test_names_that_are_steps_between_folders_are_not_sent(service, open_page, name):
    page = open_page(service, "/docs")
    plot = open_operation(page, "Get a plot")
    plot.get_by_label("name", exact=True).fill(name)
    plot.get_by_role("button", name="Send").click()
    expect(plot.get_by_role("alert")).to_have_text("This is not a valid name: enter another.")
