"""Tests of the web page, in a real browser, against a service that runs."""

import csv
import io
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    FilePayload,
    Page,
    Route,
    expect,
    sync_playwright,
)

from common.message_lines import split_csv
from tests.running_service import RunningService, run_service

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
TOKEN = "a token, with a blank"
WIDTHS = (360, 768, 1280)
HEADER = ["label", "probability", "model_version", "reason"]

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

# What the page's reader makes of texts: line, fields, whether the quoting is broken.
READ_CSV = """async ([texts, size]) => {
  const { readRecords } = await import("/static/csv.js");
  const found = [];
  for (const text of texts) {
    const all = [];
    for await (const { records } of readRecords(new File([text], "a.csv"), ",", size)) {
      for (const r of records) all.push([r.line, r.fault ? [] : r.fields, r.fault !== ""]);
    }
    found.push(all);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a browser for all tests of this module."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium: install it to test the web page")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield found
        found.close()


@pytest.fixture(scope="module")
def guarded(
    model_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningService, Path]]:
    """Return a service that wants a token and takes feedback, and the file that it keeps it in."""
    store = tmp_path_factory.mktemp("feedback") / "feedback.db"
    variables = {"SERVICE_TOKEN": TOKEN, "FEEDBACK_URL": f"sqlite:///{store}"}
    with run_service(model_folder, **variables) as running:
        yield running, store


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Return a browser's context of this test's own."""
    found = browser.new_context(reduced_motion="reduce")
    found.set_default_timeout(10_000)
    yield found
    found.close()


@pytest.fixture
def open_page(context: BrowserContext) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a page; no page may complain, or ask any other server.

    The browser complains of answers that are errors: ``refusals`` tells how many to expect.
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


def classify(page: Page, text: str) -> None:
    """Have a message classified, and wait for the verdict."""
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_role("button", name="Classify", exact=True).click()
    expect(page.get_by_role("meter")).to_be_visible()


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


def read_records(text: str) -> list[list[str]]:
    """Return the records of CSV."""
    return list(csv.reader(io.StringIO(text, newline="")))


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


def test_a_verdict_comes_with_its_probability_and_the_words_marked_and_no_more(service, open_page):
    page = open_page(service)
    classify(page, "WIN  cash now\nor see you at home")
    verdict = page.get_by_role("region", name="Verdict")
    expect(verdict.locator(".label")).to_have_text("spam")
    expect(verdict.get_by_role("status")).to_contain_text("Verdict: spam. The probability of spam")
    meter = verdict.get_by_role("meter", name="Probability of spam")
    assert 50 < float(meter.get_attribute("aria-valuenow") or 0) < 100
    text = verdict.get_by_role("group", name="The message")
    expect(text).to_have_text("WIN cash now or see you at home")
    for word, side, style in (("cash", "spam", "solid"), ("home", "ham", "dotted")):
        mark = text.locator("mark", has_text=word)
        assert (mark.get_attribute("title") or "").endswith(f": speaks for {side}")
        expect(mark).to_have_css("text-decoration-style", style)
        listed = verdict.locator(".lists > div", has_text=f"Speaks for {side}")
        expect(listed.get_by_role("listitem").filter(has_text=word)).to_be_visible()
    classify(page, "see you at home mum")
    expect(verdict.get_by_role("status")).to_contain_text("Verdict: ham.")
    expect(verdict.locator(".label")).to_have_text("ham")
    # This service takes no feedback.
    expect(page.get_by_text("Is this right?")).to_have_count(0)


def test_a_model_that_cannot_tell_words_still_gets_a_verdict(service, open_page):
    page = open_page(service)
    change_answer(
        page, "**/v1/predict", lambda answer, _: answer["predictions"][0].update(words=None)
    )
    classify(page, "WIN cash")
    expect(page.get_by_text("Which words counted cannot be told")).to_be_visible()
    expect(page.locator("mark")).to_have_count(0)


def test_markup_in_a_message_is_shown_as_text(service, open_page):
    page = open_page(service)
    markup = "<img src=x onerror=alert(1)> <b>WIN</b> {{cash}}"
    classify(page, markup)
    expect(page.get_by_role("group", name="The message")).to_have_text(markup)
    score_file(page, f'text,{markup}\n"{markup}",1\n', f"{markup.replace('/', '')}.csv")
    expect(page.get_by_role("cell", name=markup)).to_be_visible()
    expect(page.locator("#result img, #file img, #file b, #result b")).to_have_count(0)


def test_a_message_without_text_or_too_long_is_not_sent(service, open_page):
    page = open_page(service)
    sent = change_answer(page, "**/v1/predict", lambda *_: None)
    page.get_by_label("Message", exact=True).fill(" \n ")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("There is no message yet")
    page.get_by_label("Message", exact=True).fill("😀" * 9_999)
    expect(page.get_by_text("9,999 of 10,000 characters")).to_be_visible()
    page.get_by_label("Message", exact=True).fill("😀" * 10_001)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("10,001 characters, the limit is 10,000")
    assert sent == []


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
        "Message classifier",
        "Classify",
        "The model",
        "API docs",
    ]
    page.get_by_role("button", name="A prize").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("meter")).to_be_visible()
    page.get_by_label("Choose a file").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Column that holds the messages")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="1 row done")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Download results")).to_be_focused()


def test_a_file_keeps_every_row_and_gets_the_results(service, open_page):
    page = open_page(service)
    score_file(
        page,
        "id,text,note\r\n"
        '01,"WIN cash,\n""free"" prize",=1+1\r\n'
        '02,"   ",blank\r\n'
        f"03,{'x' * 10_001},long\r\n"
        "04,see you at home mum\r\n"
        "05,see you at home mum,\r\n"
        '06,"stray" quote,\r\n'
        "\r\n"
        "07,ok,a,b",
    )
    expect(page.locator("#outcome .figures > div")).to_have_text(["spam1", "ham1", "not scored6"])
    expect(page.get_by_text("1 row not scored: empty text (line 4).")).to_be_visible()
    expect(page.get_by_role("row")).to_have_count(9)
    text = download(page)
    assert text.startswith("id,text,note,label,probability,model_version,reason\n")
    assert '\n01,"WIN cash,\n""free"" prize",=1+1,spam,0.' in text
    rows = read_records(text)[1:]
    assert [row[:3] for row in rows] == [
        ["01", 'WIN cash,\n"free" prize', "=1+1"],
        ["02", "   ", "blank"],
        ["03", "x" * 10_001, "long"],
        ["04", "see you at home mum", ""],
        ["05", "see you at home mum", ""],
        ["", '06,"stray" quote,', ""],
        ["", "", ""],
        ["07", "ok", "a,b"],
    ]
    fields = "wrong number of fields: {}, expected 3"
    assert [row[6] for row in rows] == [
        "",
        "empty text",
        "text longer than 10,000 characters",
        fields.format(2),
        "",
        "broken quoting",
        "empty line",
        fields.format(4),
    ]
    version = page.request.get(f"{service.url}/v1/model").json()["version"]
    answer = page.request.post(
        f"{service.url}/v1/predict",
        data={"texts": ['WIN cash,\n"free" prize', "see you at home mum"]},
    ).json()["predictions"]
    wanted = [[p["label"], p["probability"], version] for p in answer]
    scored = [[row[3], float(row[4]), row[5]] for row in (rows[0], rows[4])]
    assert scored == wanted
    assert {tuple(row[3:6]) for row in rows if row[6]} == {("", "", "")}


def test_separator_and_column_are_guessed(service, open_page):
    page = open_page(service)
    for name, content, column, cells in (
        ("a.tsv", 'n\tbody\n1\t"quotes, mean nothing\n', "body", ["1", '"quotes, mean nothing']),
        ("b.csv", "\ufeffn;SMS\n1;WIN, cash\n", "SMS", ["1", "WIN, cash"]),
        ("c.csv", "n,tag,words\n1,a1,see you\n2,a2,\n", "words", ["1", "a1", "see you"]),
    ):
        score_file(page, content, name)
        chosen = page.get_by_label("Column that holds the messages").locator(":checked")
        expect(chosen).to_have_text(column)
        text = download(page, name.replace(".", ".scored.").replace("tsv", "csv"))
        # Who marked the file as UTF-8 needs the mark.
        assert text.startswith("\ufeff") == content.startswith("\ufeff")
        header, row, *_ = read_records(text.removeprefix("\ufeff"))
        assert header[-4:] == HEADER
        assert row[:-4] == cells


def test_a_column_that_is_there_already_is_kept(service, open_page):
    page = open_page(service)
    score_file(page, "label,text\nmine,WIN cash\n")
    expect(page.get_by_text("the added ones are predicted_label")).to_be_visible()
    header, row = read_records(download(page))
    assert header == ["label", "text", *(f"predicted_{name}" for name in HEADER)]
    assert row[:3] == ["mine", "WIN cash", "spam"]


def test_a_file_that_cannot_be_read_is_refused_with_the_reason(service, open_page):
    page = open_page(service)
    for content, complaint in (
        (b"", "has no first row"),
        (b"text\n", "has no rows below its first"),
        (b"text\nna\xefve\n", "is not UTF-8"),
    ):
        page.get_by_label("Choose a file").set_input_files(
            {"name": "a.csv", "mimeType": "text/csv", "buffer": content}
        )
        expect(page.get_by_role("alert")).to_contain_text(complaint)
        expect(page.get_by_role("button", name="Classify the file")).to_be_hidden()


def test_the_page_reads_csv_as_the_command_line_does(service, open_page):
    page = open_page(service)
    rng = random.Random(0)
    parts = ["a", "é ", '"', '""', ",", "\n", "\r\n"]
    texts = ["".join(rng.choices(parts, k=rng.randint(1, 14))) for _ in range(150)]
    texts.append(f'"{"x" * 140_000}"\n"a"\n')
    wanted = [
        [[line, fields, bool(fault)] for line, fields, fault in split_csv(io.StringIO(text, ""))]
        for text in texts
    ]
    assert any(fault for records in wanted for *_, fault in records)
    # However small the pieces are that are read together, in which a record may be cut anywhere.
    for n_bytes, some in ((1, texts[:-1]), (100_000, texts)):
        assert page.evaluate(READ_CSV, [some, n_bytes]) == wanted[: len(some)]


def test_a_file_can_be_dropped(service, open_page):
    page = open_page(service)
    transfer = page.evaluate_handle(
        """() => {
          const transfer = new DataTransfer();
          transfer.items.add(new File(["text\\nWIN cash\\n"], "dropped.csv"));
          return transfer;
        }"""
    )
    drop = page.locator(".drop")
    send = """(element, [name, dataTransfer]) => element.dispatchEvent(
      new DragEvent(name, { dataTransfer, bubbles: true, cancelable: true })
    )"""
    drop.evaluate(send, ["dragenter", transfer])
    expect(drop).to_have_class("drop over")
    # What is prevented is that the browser opens the file in place of the page.
    for name in ("dragover", "drop"):
        assert drop.evaluate(send, [name, transfer]) is False
    expect(drop).to_have_class("drop")
    expect(page.get_by_text("dropped.csv", exact=True)).to_be_visible()
    page.get_by_role("button", name="Classify the file").click()
    expect(page.get_by_role("heading", name="1 row done")).to_be_visible()


def test_batches_keep_the_limits_and_a_new_model_on_the_way_is_told(service, open_page):
    page = open_page(service)
    limits = {"text_length": 30, "batch_size": 3, "body_bytes": 50}
    change_answer(page, "**/v1/model", lambda answer, _: answer["limits"].update(limits))

    def replace_model(answer: dict, number: int) -> None:
        answer["model_version"] = "old" if number < 3 else "new"

    sent = change_answer(page, "**/v1/predict", replace_model)
    texts = ["WIN", "cash", "prize", "call", "é" * 14, "£500 cash now", "home"]
    score_file(page, "text\n" + "".join(f"{text}\n" for text in texts))
    assert [body["texts"] for body in sent] == [texts[:3], texts[3:5], texts[5:]]
    page_text = page.get_by_role("listitem")
    expect(page_text).to_have_text(
        ["The model was replaced on the way: from line 7 on the results are of new, before of old."]
    )


def test_a_row_that_the_service_refuses_costs_itself_alone(service, open_page):
    page = open_page(service, refusals=1)
    change_answer(
        page, "**/v1/model", lambda answer, _: answer["limits"].update(text_length=20_000)
    )
    score_file(page, f"text\nWIN cash\n{'x' * 10_001}\nsee you at home mum\n")
    expect(page.locator("#outcome .figures > div")).to_have_text(["spam1", "ham1", "not scored1"])
    expect(page.get_by_text("1 row not scored: string should have at most")).to_be_visible()


def test_a_cancelled_file_keeps_what_is_done(service, open_page):
    page = open_page(service)
    change_answer(page, "**/v1/model", lambda answer, _: answer["limits"].update(batch_size=1))
    waiting: list[Route] = []

    def hold_second(route: Route) -> None:
        waiting.append(route)
        if len(waiting) == 1:
            route.continue_()

    page.route("**/v1/predict", hold_second)
    page.get_by_label("Choose a file").set_input_files(make_file("text\nWIN cash\nhome\nhome\n"))
    page.get_by_role("button", name="Classify the file").click()
    expect(page.get_by_text("1 row done, 33%")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", name="1 row done, then cancelled")).to_be_focused()
    assert len(read_records(download(page))) == 2
    assert len(waiting) == 2


def test_a_service_that_is_away_or_busy_is_asked_again(service, open_page):
    page = open_page(service, refusals=2)
    page.clock.install()
    asked = []

    def be_away_then_busy(route: Route) -> None:
        asked.append(route)
        if len(asked) == 1:
            route.abort("connectionrefused")
        elif len(asked) == 2:
            problem = {"status": 503, "detail": "too many messages wait"}
            route.fulfill(status=503, headers={"Retry-After": "60"}, json=problem)
        else:
            route.continue_()

    page.route("**/v1/predict", be_away_then_busy)
    page.get_by_label("Message", exact=True).fill("WIN cash")
    page.keyboard.press("Control+Enter")
    away = "The service cannot be reached. Is it running? Trying again in 1 s."
    expect(page.locator("#result")).to_have_text(away)
    page.clock.run_for(1_000)
    expect(page.locator("#result")).to_have_text("Too many messages wait. Trying again in 60 s.")
    page.clock.run_for(30_000)
    assert len(asked) == 2
    page.clock.run_for(30_000)
    expect(page.get_by_role("meter")).to_be_visible()


def test_an_error_is_told_in_the_words_of_the_service(service, open_page):
    page = open_page(service, refusals=2)
    problem = {"status": 500, "title": "Internal Server Error", "detail": "the service failed"}
    page.route("**/v1/predict", lambda route: route.fulfill(status=500, json=problem))
    page.get_by_label("Message", exact=True).fill("WIN cash")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_have_text("The service failed.")
    page.get_by_label("Choose a file").set_input_files(make_file("text\nWIN cash\n"))
    page.get_by_role("button", name="Classify the file").click()
    expect(page.locator("#file").get_by_role("alert")).to_have_text("The service failed.")
    expect(page.get_by_role("heading", name="0 rows done, then stopped")).to_be_visible()


def test_a_token_is_asked_for_and_feedback_is_stored(guarded, open_page):
    service, store = guarded
    page = open_page(service, refusals=2)
    field = page.get_by_label("Access token")
    expect(field).to_be_focused()
    assert field.get_attribute("type") == "password"
    field.fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The service refused this token")).to_be_visible()
    page.get_by_label("Access token").fill(TOKEN)
    page.get_by_role("button", name="Use token").click()
    expect(page.get_by_label("Access token")).to_be_hidden()
    classify(page, "WIN cash now")
    page.get_by_role("button", name="No, it is ham").click()
    expect(page.get_by_text("Thank you. It is noted that this is ham.")).to_be_focused()
    with sqlite3.connect(store) as database:
        query = "SELECT text, label, predicted_label FROM feedback"
        assert database.execute(query).fetchall() == [("WIN cash now", "ham", "spam")]
    database.close()
    # The tab remembers the token, and pictures are fetched with it.
    page.get_by_role("link", name="The model").click()
    expect(page.get_by_role("heading", name="Plots")).to_be_visible()
    # Not wait_for_function: it may have to evaluate its text in the page, whose policy forbids it.
    for _ in range(100):
        if page.evaluate("[...document.images].every((i) => i.naturalWidth > 0)"):
            break
        page.wait_for_timeout(50)
    else:
        pytest.fail("a picture is not shown")
    expect(page.get_by_role("img", name="Confusion matrix")).to_be_visible()


def test_the_model_page_shows_metrics_with_their_intervals(service, open_page):
    page = open_page(service, "/model")
    row = page.get_by_role("row", name="accuracy")
    expect(row.get_by_role("cell").first).to_have_text("98.77% 97.77% to 99.77%")
    expect(page.get_by_role("row", name="f1").get_by_role("cell").first).to_have_text(
        "0.9000 0.8900 to 0.9100"
    )
    model = page.request.get(f"{service.url}/v1/model").json()
    for value in (model["version"], model["sha256"], *model["training"].values()):
        expect(page.locator("code", has_text=value).first).to_be_visible()
    expect(page.locator("figure")).to_have_count(len(model["plots"]))


def test_the_model_page_says_that_metrics_are_not_known(service, open_page):
    page = open_page(service, "/model")
    nothing = {"metrics": None, "intervals": None, "training": None, "plots": []}
    change_answer(page, "**/v1/model", lambda answer, _: answer.update(nothing))
    page.reload()
    expect(page.get_by_text("How well this model does is not known here")).to_be_visible()
    expect(page.get_by_role("table")).to_have_count(0)


def test_every_width_and_colour_scheme_is_readable(service, open_page):
    page = open_page(service)
    change_answer(page, "**/v1/model", lambda answer, _: answer.update(feedback=True))
    page.reload()
    classify(page, f"WIN free cash now, see you at home mum, ok {'x' * 300}")
    assert {mark.get_attribute("class") for mark in page.locator("mark").all()} >= {
        "positive level-3",
        "negative level-2",
    }
    score_file(page, f"text,note\nWIN cash,1\n{'x' * 300},2\n,3\n", f"{'long-' * 40}.csv")
    model = open_page(service, "/model")
    expect(model.locator("figure")).to_have_count(2)
    for scheme in ("light", "dark"):
        for shown in (page, model):
            shown.emulate_media(color_scheme=scheme)
            contrasts = shown.evaluate(CONTRASTS)
            assert len(contrasts) > 20
            assert [(name, ratio) for name, ratio in contrasts if ratio < 4.5] == []
            for width in WIDTHS:
                shown.set_viewport_size({"width": width, "height": 800})
                assert shown.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 21, 20)"


@pytest.mark.parametrize("path", ["/", "/model"])
def test_controls_have_names_and_headings_have_order(service, open_page, path):
    page = open_page(service, path)
    if path == "/":
        classify(page, "WIN cash now")
        score_file(page, "text\nWIN cash\n")
    else:
        expect(page.get_by_role("heading", name="Plots")).to_be_visible()
    # Chromium's own computation of names, as screen readers get them.
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    roles = {"link", "button", "textbox", "combobox", "meter", "img", "progressbar"}
    found = [n for n in nodes if n.get("role", {}).get("value") in roles and not n["ignored"]]
    assert len(found) >= 5
    assert [n for n in found if not n.get("name", {}).get("value", "").strip()] == []
    levels = [
        int(heading.evaluate("e => e.tagName[1]")) for heading in page.get_by_role("heading").all()
    ]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.locator("html").get_attribute("lang") == "en"
