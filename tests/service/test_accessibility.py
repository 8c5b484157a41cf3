"""Tests that the pages can be read and used by everyone, by axe and by the keyboard."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.support.page_actions import change_answer, classify, make_file, score_file

WIDTHS = (360, 768, 1280)
SCHEMES = ("light", "dark")
LONG = "x" * 300

# Every element that shows text itself, and how much it differs from what is behind it.
CONTRASTS = """() => {
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = parse(colour).map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const isShown = (colour) => parse(colour).length < 4 || parse(colour)[3] > 0;
  const background = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (isShown(colour)) return colour;
    }
  };
  const hasText = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  return [...document.body.querySelectorAll("*")]
    .filter((e) => hasText(e) && e.checkVisibility() && !e.closest(".unseen, noscript, option"))
    .map((e) => {
      const colours = [getComputedStyle(e).color, background(e)].map(luminance);
      const ratio = (Math.max(...colours) + 0.05) / (Math.min(...colours) + 0.05);
      return [`${e.tagName} ${e.className} ${e.textContent.slice(0, 20)}`, ratio];
    });
}"""

# Every element whose text is wider than itself, so that it may cover its neighbour's.
TOO_WIDE = """() => [...document.querySelectorAll("th, td, p, li, dt, dd, button, label, h3")]
  .filter((e) => e.checkVisibility() && !e.closest(".unseen"))
  .filter((e) => getComputedStyle(e.closest("thead") ?? e).position !== "absolute")
  .filter((e) => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === "visible")
  .map((e) => e.outerHTML.slice(0, 80))"""

# The place of the element that has the focus among all; -1 if none has it.
PLACE = """[...document.querySelectorAll("body *")].indexOf(document.activeElement)"""


def open_operations(page: Page) -> None:
    """Open all operations of the page on the API."""
    for operation in page.locator("details.operation").all():
        operation.locator("summary").click()
        expect(operation.get_by_role("button", name="Send")).to_be_visible()


def show_nothing(page: Page) -> None:
    """Leave the page as it opens."""
    expect(page.locator("#content, #message").first).to_be_visible()


def show_verdict(page: Page) -> None:
    """Show a verdict with marks of all strengths, and the question whether it is right."""
    change_answer(page, "**/v1/model", lambda answer, _: answer.update(feedback=True))
    page.reload()
    classify(page, f"WIN free cash now, see you at home mum, ok {LONG}")
    expect(page.locator("mark.positive").first).to_be_visible()
    expect(page.locator("mark.negative.level-2").first).to_be_visible()


def show_errors(page: Page) -> None:
    """Show an error beside each field."""
    page.get_by_role("button", name="Classify", exact=True).click()
    page.get_by_label("Choose a file").set_input_files(make_file("text\n", f"{LONG}.csv"))
    expect(page.get_by_role("alert")).to_have_count(2)


def show_rows(page: Page) -> None:
    """Show what came of a file, beside a verdict."""
    show_verdict(page)
    score_file(page, f"text,note\nWIN cash,1\n{LONG},2\n,3\nhome,4\n", f"{'long-' * 40}.csv")


def show_progress(page: Page) -> None:
    """Show a file that is being scored."""
    page.route("**/v1/predict", lambda _: None)
    page.get_by_label("Choose a file").set_input_files(make_file("text\nWIN cash\n"))
    page.get_by_role("button", name="Classify the file").click()
    expect(page.get_by_role("progressbar")).to_be_visible()


def show_plot(page: Page) -> None:
    """Show a plot in full size."""
    page.get_by_role("button", name="Confusion matrix").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def show_operations(page: Page) -> None:
    """Show all operations, and the answer of one."""
    open_operations(page)
    page.get_by_role("button", name="Send").first.click()
    expect(page.get_by_text("Status 200 OK")).to_be_visible()


def show_prediction(page: Page) -> None:
    """Show the prediction for a row with a warning, all that belongs to it, and a curve."""
    change_answer(page, "**/v1/model", lambda answer, _: answer.update(feedback=True))
    page.reload()
    page.get_by_role("button", name="Fill with usual values").click()
    page.locator("#row").get_by_label("price").fill("9999")
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_role("group", name="Warnings")).to_be_visible()
    page.get_by_label("Column that varies").select_option(label="price")
    expect(page.locator(".curve .line").first).to_be_visible()
    page.get_by_text("As a table").click()


def show_row_errors(page: Page) -> None:
    """Show an error at a field, and a notice of a new model."""
    page.locator("#row").get_by_label("town").select_option("town 3")

    def replace_model(answer: dict, _: int) -> None:
        answer["version"] = "f" * 12
        answer["columns"] = [one for one in answer["columns"] if one["name"] != "town"]

    change_answer(page, "**/v1/model", replace_model)
    change_answer(page, "**/v1/predict", lambda answer, _: answer.update(model_version="f" * 12))
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_text("These values have no place in the form")).to_be_visible()
    page.locator("#row").get_by_label("price").fill("0,7")
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_text("Write the number without commas")).to_be_visible()


def show_scored_rows(page: Page) -> None:
    """Show what came of a file of rows, with warnings and errors."""
    names = "title,note,price,weight,colour,town,size,sold,seen"
    rows = [f"a,{LONG},{price},1,red,nowhere,small,2021-01-01," for price in ("1", "9999", "much")]
    page.get_by_label("Choose a file").set_input_files(make_file("\n".join([names, *rows])))
    page.get_by_role("button", name="Predict for the file").click()
    expect(page.get_by_role("heading", name="2 of 3 rows scored")).to_be_visible()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "show"),
    [
        ("/", show_nothing),
        ("/", show_verdict),
        ("/", show_errors),
        ("/", show_rows),
        ("/", show_progress),
        ("/model", show_nothing),
        ("/model", show_plot),
        ("/docs", show_nothing),
        ("/docs", show_operations),
    ],
)
def test_every_page_is_accessible_in_light_and_dark_at_any_width(
    service, open_page, path: str, show: Callable[[Page], None]
):
    page = open_page(service, path)
    show(page)
    check_page(page)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 21, 20)"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "path", "show"),
    [
        ("binary", "/", show_prediction),
        ("multiclass", "/", show_prediction),
        ("regression", "/", show_row_errors),
        ("regression", "/", show_scored_rows),
        ("multiclass", "/model", show_nothing),
        ("regression", "/model", show_nothing),
    ],
)
def test_every_page_of_a_model_of_a_table_is_accessible(
    serve_table, open_page, task: str, path: str, show: Callable[[Page], None]
):
    page = open_page(serve_table(task), path)
    show(page)
    check_page(page)


def check_page(page: Page) -> None:
    """Check contrasts, widths and axe's rules in both schemes; the dark one stays."""
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        contrasts = page.evaluate(CONTRASTS)
        assert len(contrasts) > 10
        assert [(name, ratio) for name, ratio in contrasts if ratio < 4.5] == []
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") == width
            assert page.evaluate(TOO_WIDE) == []
            # The scheme changes colours alone, so in the second one a width stands for all.
            if scheme == SCHEMES[0] or width == WIDTHS[0]:
                results = Axe().run(page)
                assert results.violations_count == 0, results.generate_report()


def test_the_keyboard_is_enough(service, open_page):
    page = open_page(service)
    # From the beginning: while it is being arranged, a chooser would go unnoticed.
    page.on("filechooser", lambda chooser: chooser.set_files(make_file("text\nWIN cash\n")))
    seen = []
    for _ in range(9):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.textContent.trim().slice(0, 20)"))
        assert page.evaluate(
            """() => {
              const at = document.activeElement;
              const outline = (e) => getComputedStyle(e).outlineStyle;
              return [at, at.parentElement].some((e) => outline(e) === "solid");
            }"""
        )
    assert seen[:5] == [
        "Skip to the content",
        "small",
        "Predict",
        "The model",
        "API docs",
    ]
    page.get_by_label("Message", exact=True).focus()
    page.keyboard.type("WIN cash")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("meter")).to_be_visible()
    page.get_by_label("Choose a file").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Column with the messages")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="1 of 1 row scored")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Download results")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("radio", name="all")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="spam")).to_be_checked()


@pytest.mark.parametrize("path", ["/", "/model", "/docs"])
def test_no_element_traps_the_focus(service, open_page, path):
    page = open_page(service, path)
    if path == "/":
        classify(page, "WIN cash")
        score_file(page, "text\nWIN cash\n")
        page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    else:
        expect(page.locator("#content")).to_be_visible()
        open_operations(page)
    assert len(walk(page)) >= 5


def walk(page: Page) -> list[int]:
    """Press Tab from the top until the focus leaves the page; return the places that had it."""
    page.locator(".skip").focus()
    seen = [page.evaluate(PLACE)]
    for _ in range(page.locator("main *").count()):
        page.keyboard.press("Tab")
        place = page.evaluate(PLACE)
        if place < seen[-1]:
            break
        # A field for dates has a stop for the year, the month and the day.
        if place > seen[-1]:
            seen.append(place)
    assert place <= 0
    return seen


def test_the_keyboard_is_enough_for_a_row(serve_table, open_page):
    page = open_page(serve_table("regression"))
    page.locator("#row").get_by_label("price").focus()
    page.keyboard.type("20.5")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Prediction")).to_be_visible()
    expect(page.locator(".curve > p")).to_be_visible()
    page.get_by_label("Column that varies").focus()
    page.keyboard.type("size")
    expect(page.locator(".curve .bars")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".curve").get_by_role("table")).to_be_visible()
    # The fields, the buttons, the file, and what belongs to the prediction.
    assert len(walk(page)) >= 20
