"""What people do on the web page, for tests."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import FilePayload, Page, Route, expect


def classify(page: Page, text: str) -> None:
    """Have a message classified, and wait for the verdict."""
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_role("button", name="Classify", exact=True).click()
    expect(page.get_by_role("meter")).to_be_visible()


def predict_usual(page: Page) -> None:
    """Have the form for a row filled with usual values, and wait for the prediction and a curve."""
    page.get_by_role("button", name="Fill with usual values").click()
    expect(page.get_by_role("region", name="Prediction")).to_be_visible()
    expect(page.locator(".curve > p")).to_be_visible()


def make_file(text: str, name: str = "messages.csv") -> FilePayload:
    """Return a file to choose."""
    return {"name": name, "mimeType": "text/csv", "buffer": text.encode()}


def score_file(page: Page, text: str, name: str = "messages.csv") -> None:
    """Have a file classified, and wait for its end."""
    page.get_by_label("Choose a file").set_input_files(make_file(text, name))
    page.get_by_role("button", name="Classify the file").click()
    expect(page.get_by_role("link", name="Download results")).to_be_visible()


def download(page: Page, name: str = "messages.scored.csv") -> str:
    """Return the text of the file of results, as its bytes have it."""
    with page.expect_download() as found:
        page.get_by_role("link", name="Download results").click()
    assert found.value.suggested_filename == name
    return Path(found.value.path()).read_bytes().decode()


def change_answer(page: Page, pattern: str, change: Callable[[dict, int], None]) -> list[dict]:
    """Have answers changed on their way; return a list that gets the bodies of the requests."""
    sent: list[dict] = []

    def handle(route: Route) -> None:
        sent.append(route.request.post_data_json or {})
        response = route.fetch()
        answer = response.json()
        change(answer, len(sent))
        route.fulfill(response=response, json=answer)

    page.route(pattern, handle)
    return sent
