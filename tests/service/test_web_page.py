"""Tests of the web page, in a real browser, against a service that runs."""

import csv
import io
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from records.splitting import LINE_ENDS, bound_lines, split_csv
from tests.support.page_actions import change_answer, classify, download, make_file, score_file
from tests.support.running_service import RunningService, run_service

TOKEN = "a token, with a blank"
HEADER = ["label", "probability", "model_version", "reason"]

# What the page's reader makes of texts: line, fields, whether the quoting is broken.
READ_CSV = """async ([texts, size]) => {
  const { readRecords } = await import("/static/csv.js");
  const found = [];
  for (const text of texts) {
    const all = [];
    for await (const { records } of readRecords(new File([text], "a.csv"), ",", size)) {
      for (const r of records) all.push([r.line, r.reason ? [] : r.fields, r.reason !== ""]);
    }
    found.push(all);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def guarded(
    model_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningService, Path]]:
    """Return a service that needs a token and accepts feedback, and the file of its store."""
    store = tmp_path_factory.mktemp("feedback") / "feedback.db"
    variables = {"SERVICE_TOKEN": TOKEN, "FEEDBACK_URL": f"sqlite:///{store}"}
    with run_service(model_folder, **variables) as running:
        yield running, store


def read_records(text: str) -> list[list[str]]:
    """Return the records of CSV."""
    return list(csv.reader(io.StringIO(text, newline="")))


def test_a_verdict_comes_with_its_probability_and_the_words_marked_and_no_more(service, open_page):
    page = open_page(service)
    classify(page, "WIN  cash now\nor see you at home")
    verdict = page.get_by_role("region", name="Verdict")
    expect(verdict.locator(".label")).to_have_text("spam")
    expect(page.locator("#status")).to_contain_text("Verdict: spam. The probability of spam")
    meter = verdict.get_by_role("meter", name="Probability of spam")
    assert 50 < float(meter.get_attribute("aria-valuenow") or 0) < 100
    text = verdict.get_by_role("group", name="The message")
    expect(text).to_have_text("WIN cash now or see you at home")
    for word, side, style in (("cash", "spam", "solid"), ("home", "ham", "dotted")):
        mark = text.locator("mark", has_text=word)
        assert (mark.get_attribute("title") or "").startswith(f"Pushes towards {side}: ")
        expect(mark).to_have_css("text-decoration-style", style)
        listed = verdict.locator(".lists > div", has_text=f"Pushes towards {side}")
        expect(listed.get_by_role("listitem").filter(has_text=word)).to_be_visible()
    classify(page, "see you at home mum")
    expect(page.locator("#status")).to_contain_text("Verdict: ham.")
    expect(verdict.locator(".label")).to_have_text("ham")
    # This service takes no feedback.
    expect(page.get_by_text("Is this right?")).to_have_count(0)


def test_a_model_without_weights_still_gives_a_verdict(service, open_page):
    page = open_page(service)
    change_answer(
        page, "**/v1/predict", lambda answer, _: answer["predictions"][0].update(words=None)
    )
    classify(page, "WIN cash")
    expect(page.get_by_text("cannot show which words matter")).to_be_visible()
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


def test_an_error_is_beside_its_field_until_the_field_changes(service, open_page):
    page = open_page(service)
    message = page.get_by_label("Message", exact=True)
    page.get_by_role("button", name="Classify", exact=True).click()
    expect(message).to_have_attribute("aria-invalid", "true")
    expect(message).to_have_accessible_description(
        "There is no message yet: paste one or try an example."
    )
    expect(message).to_be_focused()
    message.fill("WIN")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(message).not_to_have_attribute("aria-invalid", "true")
    file = page.get_by_label("Choose a file")
    file.set_input_files(make_file("text\n"))
    expect(file).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#file").get_by_role("alert")).to_contain_text(
        "has no rows below its first"
    )
    file.set_input_files(make_file("text\nWIN\n"))
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(file).not_to_have_attribute("aria-invalid", "true")


def test_no_error_stays_beside_a_newer_result(service, open_page):
    page = open_page(service)
    page.get_by_role("button", name="Classify", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("There is no message yet")
    score_file(page, "text\nWIN cash\n")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.get_by_label("Choose a file").set_input_files(make_file("text\n"))
    expect(page.get_by_role("alert")).to_contain_text("has no rows")
    classify(page, "WIN cash")
    expect(page.get_by_role("alert")).to_have_count(0)
    # Nor does an older verdict beside a newer error.
    page.get_by_label("Message", exact=True).fill(" ")
    page.get_by_role("button", name="Classify", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("region", name="Verdict")).to_be_hidden()


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1440, 900)])
def test_a_desktop_shows_message_verdict_and_file_at_once(service, open_page, width, height):
    page = open_page(service)
    page.set_viewport_size({"width": width, "height": height})
    verdict = page.get_by_role("region", name="Verdict")
    file = page.get_by_role("region", name="A file of messages")
    message = page.locator("#message")
    expect(verdict).to_be_hidden()
    for shown in (message, file):
        expect(shown).to_be_in_viewport(ratio=1)
    page.get_by_role("button", name="A prize").click()
    for shown in (message, verdict, file):
        expect(shown).to_be_in_viewport(ratio=1)


def test_an_example_is_classified_at_once(service, open_page):
    page = open_page(service)
    expect(page.get_by_role("region", name="Verdict")).to_be_hidden()
    page.get_by_role("button", name="A note home").click()
    expect(page.get_by_role("region", name="Verdict")).to_be_visible()
    expect(page.get_by_role("group", name="The message")).to_contain_text("Running ten minutes")


def test_words_are_listed_with_bars_unless_they_hardly_count(service, open_page):
    page = open_page(service)
    words = {"WIN": 2.0, "cash": 1.0, "now": 0.099, "see": -0.5, "you": -0.101, "at": -0.01}
    listed = [{"word": word, "contribution": c} for word, c in words.items()]
    change_answer(
        page, "**/v1/predict", lambda answer, _: answer["predictions"][0].update(words=listed)
    )
    classify(page, "WIN cash now see you at")
    items = page.locator(".lists li")
    expect(items).to_have_text(
        [
            "WIN+2.00 in log-odds",
            "cash+1.00 in log-odds",
            "see−0.50 in log-odds",
            "you−0.10 in log-odds",
        ]
    )
    longest, half = (items.nth(i).locator(".bar").bounding_box()["width"] for i in (0, 1))
    assert half == pytest.approx(longest / 2, abs=1)


def test_the_keyboard_hint_is_for_those_who_have_one(service, browser):
    for options, is_shown in (({}, True), ({"has_touch": True, "is_mobile": True}, False)):
        context = browser.new_context(**options)
        page = context.new_page()
        page.goto(service.url)
        expect(page.locator(".keys")).to_be_visible(visible=is_shown)
        context.close()


def test_rows_of_one_kind_can_be_shown(service, open_page):
    page = open_page(service)
    rows = ["WIN cash now"] * 60 + ["", "see you at home mum"]
    score_file(page, "text,n\n" + "".join(f"{text},{i}\n" for i, text in enumerate(rows)))
    expect(page.get_by_role("heading", name="61 of 62 rows scored")).to_be_visible()
    expect(page.get_by_role("row")).to_have_count(51)
    expect(page.get_by_text("The first 50 of 62 rows")).to_be_visible()
    for kind, cells in (("ham", "see you at home mum"), ("not scored", "empty text")):
        page.get_by_role("radio", name=kind).check()
        expect(page.get_by_role("row")).to_have_count(2)
        expect(page.get_by_role("row").last).to_contain_text(cells)
    page.get_by_role("radio", name="spam").check()
    expect(page.get_by_text("The first 50 of 60 rows")).to_be_visible()
    # What comes next is primary.
    expect(page.locator("#file .main")).to_have_text("Download results")
    page.get_by_label("Column with the messages").select_option("n")
    expect(page.get_by_role("button", name="Classify the file")).to_have_class("main")


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
    expect(page.get_by_role("heading", name="2 of 8 rows scored")).to_be_visible()
    kinds = ["all 8", "spam 1", "ham 1", "not scored 6"]
    expect(page.locator("#outcome .choice")).to_have_text(kinds)
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
        chosen = page.get_by_label("Column with the messages").locator(":checked")
        expect(chosen).to_have_text(column)
        text = download(page, name.replace(".", ".scored.").replace("tsv", "csv"))
        # Who marked the file as UTF-8 needs the mark.
        assert text.startswith("\ufeff") == content.startswith("\ufeff")
        header, row, *_ = read_records(text.removeprefix("\ufeff"))
        assert header[-4:] == HEADER
        assert row[:-4] == cells


def test_a_column_that_is_there_already_is_kept(service, open_page):
    page = open_page(service)
    score_file(page, "label,text,predicted_reason\nmine,WIN cash,none\n")
    expect(page.get_by_text("the new ones are called predicted_label.")).to_be_visible()
    header, row = read_records(download(page))
    assert header == ["label", "text", "predicted_reason", "predicted_label", *HEADER[1:]]
    assert row[:4] == ["mine", "WIN cash", "none", "spam"]


def test_a_file_that_cannot_be_read_is_refused_with_the_reason(service, open_page):
    page = open_page(service)
    for content, complaint in (
        (b"", "has no first row"),
        (b"text\n", "has no rows below its first"),
        (b"id,text,,,id\n1,a,,,2\n", 'has the column "id" more than once: rename or remove one'),
        (b"text\nna\xefve\n", "is not UTF-8"),
        (b"n\ttext\r1\tWIN cash\r", "has carriage returns within its lines"),
        (b'{"text": "WIN cash"}\n{"text": "home"}\n', "holds JSON"),
        (b'[\n  {"text": "WIN cash"}\n]\n', "holds JSON"),
    ):
        page.get_by_label("Choose a file").set_input_files(
            {"name": "a.csv", "mimeType": "text/csv", "buffer": content}
        )
        expect(page.get_by_role("alert")).to_contain_text(complaint)
        expect(page.get_by_role("button", name="Classify the file")).to_be_hidden()


def test_json_lines_are_refused_by_their_name(service, open_page):
    page = open_page(service)
    page.get_by_label("Choose a file").set_input_files(make_file("1\n2\n", "messages.JSONL"))
    expect(page.get_by_role("alert")).to_have_text(
        "messages.JSONL holds JSON, which this page does not read: save it as CSV or TSV and "
        "choose that file."
    )


def test_lines_may_end_with_only_carriage_returns(service, open_page):
    page = open_page(service)
    score_file(page, "id,text\r1,WIN cash\r2,see you at home mum")
    expect(page.get_by_role("heading", name="2 of 2 rows scored")).to_be_visible()
    assert [row[0] for row in read_records(download(page))] == ["id", "1", "2"]


@pytest.mark.parametrize("character", ["\ufeff", "\x1c", "\x85", "\u2003", "\u200b", "\u180e"])
def test_a_blank_message_is_what_python_holds_for_one(service, open_page, character):
    page = open_page(service)
    script = "async (text) => (await import('/static/scoring.js')).isBlank(text)"
    assert page.evaluate(script, character) is (not character.strip())


def test_the_page_reads_csv_as_the_command_line_does(service, open_page):
    page = open_page(service)
    rng = random.Random(0)
    parts = ["a", "é ", '"', '""', ",", "\n", "\r\n", "\r"]
    texts = ["".join(rng.choices(parts, k=rng.randint(1, 14))) for _ in range(200)]
    # A field that is long, one that is too long, lines that are, and what follows them.
    texts.append(f'"{"x" * 140_000}"\n"a"\n')
    texts.append('"' + ("x" * 999 + "\n") * 1001 + '"\n"a"\n')
    texts.extend(f"{'x' * 1_200_000}{end}a,b\n" for end in ("\n", "\r", "\r\n"))
    files = [io.StringIO(text, newline="") for text in texts]
    wanted = [
        [
            [line, fields, bool(reason)]
            for line, fields, reason, *_ in split_csv(bound_lines(file, LINE_ENDS["csv"]))
        ]
        for file in files
    ]
    assert any(fault for records in wanted for *_, fault in records)
    # However small the pieces are that are read together, in which a record may be cut anywhere.
    for n_bytes, some in ((1, texts[:200]), (100_000, texts)):
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
    expect(page.get_by_role("heading", name="1 of 1 row scored")).to_be_visible()


def test_batches_keep_the_limits_and_a_new_model_is_reported(service, open_page):
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
        [
            "The model was replaced during the run: rows from line 7 on were scored by new, "
            "those before by old."
        ]
    )


def test_a_row_that_the_service_refuses_affects_no_other_row(service, open_page):
    page = open_page(service, refusals=1)
    change_answer(
        page, "**/v1/model", lambda answer, _: answer["limits"].update(text_length=20_000)
    )
    score_file(page, f"text\nWIN cash\n{'x' * 10_001}\nsee you at home mum\n")
    expect(page.get_by_role("heading", name="2 of 3 rows scored")).to_be_visible()
    expect(page.get_by_text("1 row not scored: string should have at most")).to_be_visible()


@pytest.mark.parametrize(
    ("limits", "wanted"),
    [
        ({"characters": 20}, [["WIN", "cash"], ["😀" * 9], ["prize", "call"], ["home"]]),
        ({"characters": 8}, [["WIN"], ["cash"], ["😀" * 9], ["prize"], ["call"], ["home"]]),
        ({}, [["WIN", "cash", "😀" * 9, "prize", "call", "home"]]),
    ],
)
def test_batches_keep_to_half_of_the_characters_that_a_request_may_have(
    service, open_page, limits, wanted
):
    page = open_page(service)

    def set_limits(answer: dict, _: int) -> None:
        answer["limits"].pop("characters", None)
        answer["limits"].update(limits)

    change_answer(page, "**/v1/model", set_limits)
    sent = change_answer(page, "**/v1/predict", lambda *_: None)
    texts = [text for batch in wanted for text in batch]
    score_file(page, "text\n" + "".join(f"{text}\n" for text in texts))
    assert [body["texts"] for body in sent] == wanted


@pytest.mark.parametrize("status", [413, 422])
def test_a_refused_batch_is_halved_until_the_invalid_text_is_alone(service, open_page, status):
    page = open_page(service, refusals=3)
    sent: list[list[str]] = []

    def refuse_long(route: Route) -> None:
        texts = route.request.post_data_json["texts"]
        sent.append(texts)
        if sum(map(len, texts)) < 10:
            route.continue_()
            return
        problem = {"status": status, "detail": "there are more than 9 characters"}
        route.fulfill(status=status, json=problem)

    page.route("**/v1/predict", refuse_long)
    texts = ["WIN", "cash", "call now, please", "home", "mum"]
    score_file(page, "text\n" + "".join(f'"{text}"\n' for text in texts))
    expect(page.get_by_role("heading", name="4 of 5 rows scored")).to_be_visible()
    assert sent == [texts, texts[:3], texts[:2], texts[2:3], texts[3:]]
    rows = read_records(download(page))[1:]
    assert [row[0] for row in rows] == texts
    assert [row[4] for row in rows] == ["", "", "there are more than 9 characters", "", ""]


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
    expect(page.get_by_role("heading", name="1 of 1 row scored, then cancelled")).to_be_focused()
    assert len(read_records(download(page))) == 2
    assert len(waiting) == 2


def test_a_key_that_is_held_down_starts_one_run_and_does_not_cancel_it(service, open_page):
    page = open_page(service)
    page.route("**/v1/predict", lambda _: None)
    page.get_by_label("Choose a file").set_input_files(make_file("text\nWIN cash\n"))
    page.get_by_role("button", name="Classify the file").focus()
    page.keyboard.down("Enter")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    for _ in range(5):
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.locator("#outcome")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="No rows scored, then cancelled")).to_be_visible()


def test_a_file_that_is_submitted_several_times_at_once_is_classified_once(service, open_page):
    page = open_page(service)
    sent = change_answer(page, "**/v1/predict", lambda *_: None)
    page.get_by_label("Choose a file").set_input_files(make_file("text\nWIN cash\n"))
    expect(page.get_by_role("button", name="Classify the file")).to_be_visible()
    page.locator("#columns").evaluate("(f) => { for (let i = 0; i < 3; i++) f.requestSubmit(); }")
    expect(page.get_by_role("heading", name="1 of 1 row scored")).to_be_visible()
    assert len(sent) == 1


def test_a_key_that_is_held_down_sends_a_message_once(service, open_page):
    page = open_page(service)
    sent = change_answer(page, "**/v1/predict", lambda *_: None)
    page.get_by_label("Message", exact=True).fill("WIN cash")
    page.keyboard.down("Control")
    for _ in range(5):
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    page.keyboard.up("Control")
    expect(page.get_by_role("meter")).to_be_visible()
    page.get_by_role("button", name="Classify", exact=True).focus()
    for _ in range(5):
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    page.get_by_role("button", name="A note home").click()
    expect(page.get_by_role("group", name="The message")).to_contain_text("Running ten minutes")
    assert len(sent) == 3


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
    expect(page.locator("#wait")).to_have_text(away)
    page.clock.run_for(1_000)
    expect(page.locator("#wait")).to_have_text("Too many messages wait. Trying again in 60 s.")
    page.clock.run_for(30_000)
    assert len(asked) == 2
    page.clock.run_for(30_000)
    expect(page.get_by_role("meter")).to_be_visible()


def test_an_error_has_the_words_of_the_service(service, open_page):
    page = open_page(service, refusals=2)
    problem = {"status": 500, "title": "Internal Server Error", "detail": "the service failed"}
    page.route("**/v1/predict", lambda route: route.fulfill(status=500, json=problem))
    page.get_by_label("Message", exact=True).fill("WIN cash")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#message").get_by_role("alert")).to_have_text("The service failed.")
    page.get_by_label("Choose a file").set_input_files(make_file("text\nWIN cash\n"))
    page.get_by_role("button", name="Classify the file").click()
    expect(page.locator("#file").get_by_role("alert")).to_have_text("The service failed.")
    expect(
        page.get_by_role("heading", name="No rows scored, then stopped by an error")
    ).to_be_visible()


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
    expect(page.get_by_text("Thank you. Your answer, ham, is stored.")).to_be_focused()
    with sqlite3.connect(store) as database:
        query = "SELECT inputs, answer, predicted FROM corrections"
        assert database.execute(query).fetchall() == [('"WIN cash now"', '"ham"', '"spam"')]
    database.close()
    # The tab remembers the token, and pictures are fetched with it.
    page.get_by_role("link", name="The model").click()
    expect(page.get_by_role("heading", name="Plots")).to_be_visible()
    # Not wait_for_function: it may have to evaluate its text in the page, whose policy forbids it.
    for _ in range(1200):
        if page.evaluate("[...document.images].every((i) => i.naturalWidth > 0)"):
            break
        page.wait_for_timeout(50)
    else:
        pytest.fail("a picture is not shown")
    expect(page.get_by_role("img", name="Confusion matrix")).to_be_visible()


def test_the_model_page_shows_each_metric_once_with_its_meaning_and_interval(service, open_page):
    page = open_page(service, "/model")
    model = page.request.get(f"{service.url}/v1/model").json()

    def add_second_names(answer: dict, _: int) -> None:
        for values in (answer["metrics"]["test"], answer["metrics"]["train"]):
            values.update(recall=values["spam_caught"], fpr=values["ham_blocked"])

    change_answer(page, "**/v1/model", add_second_names)
    page.reload()
    caught = page.locator(".figures > div", has_text="Spam caught")
    expect(caught.locator(".figure")).to_have_text("87.50%")
    expect(caught).to_contain_text("Of all spam, the share that the model marks as spam.")
    expect(caught).to_contain_text("95% interval: 86.50% to 88.50%")
    assert page.locator("main").inner_text().count("87.50%") == 2  # On test and training messages.
    row = page.get_by_role("row", name="F1 score")
    expect(row.get_by_role("cell")).to_have_text(["0.9000 0.8900 to 0.9100", "0.9000"])
    expect(row).to_contain_text("1 is best")
    expect(page.get_by_role("table", name="Metrics").get_by_role("row")).to_have_count(3)
    expect(page.locator("main")).to_contain_text("matthews corrcoef 0.9500 ± 0.0100")
    for value in (model["version"], model["sha256"], *model["training"].values()):
        expect(page.locator("code", has_text=value).first).to_be_visible()
    expect(page.locator("figure")).to_have_count(len(model["plots"]))


def test_the_model_page_shows_how_many_disguised_messages_are_caught(service, open_page):
    table = open_page(service, "/model").get_by_role("table", name="Shares of disguised messages")
    cells = {
        "Spam caught in the worst disguise No contacts: ": "62.50% 50.00% to 70.00%",
        "Spam caught on average The mean ": "75.00%",
        "Most ham blocked Typos: ": "3.00% 2.00% to 5.00%",
    }
    for name, cell in cells.items():
        row = table.get_by_role("row", name=name)
        expect(row.get_by_role("cell")).to_have_text([cell])


def test_a_plot_opens_in_full_size_and_closes(service, open_page):
    page = open_page(service, "/model")
    plot = page.get_by_role("button", name="Confusion matrix")
    for close in ("Escape", "Close"):
        plot.click()
        dialog = page.get_by_role("dialog", name="Confusion matrix")
        expect(dialog.get_by_role("img")).to_be_visible()
        if close == "Escape":
            page.keyboard.press(close)
        else:
            dialog.get_by_role("button", name=close).click()
        expect(dialog).to_have_count(0)
        expect(plot).to_be_focused()


def test_the_model_page_says_that_metrics_are_not_known(service, open_page):
    page = open_page(service, "/model")
    nothing = dict.fromkeys(["metrics", "intervals", "robustness", "training"]) | {"plots": []}
    change_answer(page, "**/v1/model", lambda answer, _: answer.update(nothing))
    page.reload()
    expect(page.get_by_text("The metrics of this model are not known")).to_be_visible()
    expect(page.get_by_role("table")).to_have_count(0)


def test_names_that_objects_have_already_are_names_like_others(service, open_page):
    page = open_page(service, "/model", refusals=3)
    names = ["constructor", "toString", "__proto__"]

    def add_names(answer: dict, _: int) -> None:
        answer["plots"] += names
        answer["metrics"]["test"] |= dict.fromkeys(names, 0.25)

    change_answer(page, "**/v1/model", add_names)
    page.reload()
    for title in ("Constructor", "ToString", "Proto"):
        row = page.get_by_role("row").filter(has_text=title)
        expect(row.get_by_role("cell")).to_have_text(["25.00%", "–"])
    expect(page.locator("figcaption")).to_have_count(5)
    expect(page.locator("figure .problem")).to_have_count(3)


@pytest.mark.parametrize("path", ["/", "/model"])
@pytest.mark.parametrize("width", [360, 1280])
def test_labels_without_a_blank_do_not_widen_the_page(service, open_page, path, width):
    page = open_page(service, path)
    page.set_viewport_size({"width": width, "height": 800})
    labels = {"positive": "p" * 60, "negative": "n" * 60}

    def name_model(answer: dict, _: int) -> None:
        answer.update(labels=labels, feedback=True)
        answer["metrics"]["test"]["recall_at_max_fpr"] = 0.5

    change_answer(page, "**/v1/model", name_model)
    change_answer(
        page,
        "**/v1/predict",
        lambda answer, _: [one.update(label=labels["positive"]) for one in answer["predictions"]],
    )
    page.reload()
    if path == "/":
        classify(page, "WIN cash")
        score_file(page, "text\nWIN cash\n")
    else:
        expect(page.get_by_role("heading", name="More metrics")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_a_question_for_the_token_goes_with_the_file_that_needed_it(service, open_page):
    page = open_page(service, refusals=1)
    expect(page.locator("#about-model")).to_contain_text("Model")
    problem = {"status": 401, "detail": "the token is missing"}
    page.route("**/v1/model", lambda route: route.fulfill(status=401, json=problem))
    page.get_by_label("Choose a file").set_input_files(make_file("text\nWIN cash\n"))
    page.get_by_role("button", name="Classify the file").click()
    expect(page.get_by_label("Access token")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Classify the file")).to_be_visible()
    expect(page.get_by_label("Access token")).to_have_count(0)


@pytest.mark.parametrize(
    ("pattern", "body"),
    [
        ("**/v1/predict", "<html>Hello</html>"),
        ("**/v1/predict", "{}"),
        ("**/v1/predict", "null"),
        ("**/v1/predict", '{"predictions": [], "threshold": 0.5, "model_version": "a"}'),
        ("**/v1/model", "{}"),
        ("**/v1/model", ""),
    ],
)
def test_an_answer_that_cannot_be_read_is_reported_in_a_sentence(service, open_page, pattern, body):
    page = open_page(service)
    page.route(pattern, lambda route: route.fulfill(status=200, body=body))
    page.reload()
    sentence = "The service's answer cannot be read: is another server running here?"
    if pattern == "**/v1/model":
        # Without the model there is no form.
        for path in ("/", "/model"):
            page.goto(f"{service.url}{path}")
            expect(page.locator("#notices").get_by_role("alert")).to_have_text(sentence)
        return
    page.get_by_role("button", name="A prize").click()
    expect(page.locator("#text-error")).to_have_text(sentence)
    page.get_by_label("Choose a file").set_input_files(make_file("text\nWIN cash\n"))
    page.get_by_role("button", name="Classify the file").click()
    expect(page.locator("#chosen-error")).to_have_text(sentence)


def test_a_refusal_with_odd_errors_affects_only_the_invalid_text(service, open_page):
    page = open_page(service, refusals=1)
    errors = [None, 1, {"pointer": 5}, {"pointer": "/texts/0", "detail": None}]
    problem = {"status": 422, "detail": "the text is odd", "errors": errors}
    page.route("**/v1/predict", lambda route: route.fulfill(status=422, json=problem))
    score_file(page, "text\nWIN cash\n")
    expect(page.get_by_text("1 row not scored: the text is odd (line 2).")).to_be_visible()


def test_the_download_comes_with_a_warning_of_cells_that_run(service, open_page):
    page = open_page(service)
    score_file(page, "text\n=1+1\n")
    expect(page.locator("#outcome")).to_contain_text(
        "Open untrusted messages as text: a spreadsheet may run cells that begin with = + - @."
    )
