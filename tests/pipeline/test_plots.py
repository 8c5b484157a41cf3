"""Tests of plots that need no network."""

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.service.conftest import CHROMIUM, OPTIONS, PATIENCE

CURVES = ["ROC", "Precision and recall", "Calibration", "Confusion matrix", "Rates by threshold"]


@pytest.fixture(scope="module")
def browser():
    """Return a browser."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium: install it to test pages")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield found
        found.close()


def test_every_plot_is_drawn_without_a_network(worsened, browser: Browser, tmp_path):
    output = tmp_path / "plots"
    worsened.run("python", "src", "plots", "good", "--out", str(output))

    page = browser.new_page(offline=True)
    errors, asked = [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((output / "index.html").as_uri())
    drawn = page.locator(".vega-embed svg.marks")
    expect(drawn).to_have_count(len(CURVES), timeout=PATIENCE)
    for title, plot in zip(CURVES, drawn.all(), strict=True):
        expect(plot).to_contain_text(title)
    # Eight pictures of each of two revisions.
    expect(page.locator("img")).to_have_count(16)
    assert errors == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    page.screenshot(path=tmp_path / "plots.png", full_page=True)
