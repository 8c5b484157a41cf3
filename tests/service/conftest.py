"""A service on a small model, which tests leave as it is, and a browser that opens its pages."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.support.running_service import RunningService, make_folder, run_service
from tests.support.small_table_model import make_table_folder

# Milliseconds that a page gets; a test that passes waits far less.
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)
CHROMIUM = shutil.which("chromium")
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small model and the results of the pipeline; do not change it."""
    return make_folder(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def service(model_folder: Path) -> Iterator[RunningService]:
    """Return a service that runs on the small model; leave it as it is."""
    with run_service(model_folder) as running:
        yield running


@pytest.fixture(scope="session")
def serve_table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable]:
    """Return a function that returns a service on a table's model, by task; leave it as it is."""
    with ExitStack() as stack:

        @cache
        def serve(task: str) -> RunningService:
            folder = make_table_folder(tmp_path_factory.mktemp(task), task)
            return stack.enter_context(run_service(folder))

        yield serve


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a browser for all tests of a module."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium: install it to test the web page")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield found
        found.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Return a browser's context of this test's own."""
    found = browser.new_context(reduced_motion="reduce")
    found.set_default_timeout(PATIENCE)
    yield found
    found.close()


@pytest.fixture
def open_page(context: BrowserContext) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a page; no page may complain, or ask any other server.

    The browser logs answers that are errors: ``refusals`` is how many to expect.
    """
    complaints, foreign, expected = [], [], []

    def open_address(service: RunningService, path: str = "/", refusals: int = 0) -> Page:
        page = context.new_page()
        expected.append(refusals)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        own = (service.url + "/", f"blob:{service.url}/")
        page.on("request", lambda r: r.url.startswith(own) or foreign.append(r.url))
        page.goto(service.url + path)
        return page

    yield open_address
    refused = [text for text in complaints if text.startswith("Failed to load resource")]
    assert [text for text in complaints if text not in refused] == []
    assert len(refused) == sum(expected)
    assert foreign == []
