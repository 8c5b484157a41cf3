"""Tests of predicting, in this process, with a small model."""

import gzip
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier

from commands import predict
from core.errors import UserError
from models.store import save_model
from models.threshold import OperatingPoint, write_points
from records.chunks import CHUNK_ROWS
from tests.support.full_disk import full_disk
from tests.support.small_model import fit_model, read_version

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.skops"
    save_model(fit_model(), path)
    return path


@pytest.fixture
def run(model_file, params_file):
    """Return a function that calls main with the small model."""
    params = params_file()

    def call(*arguments):
        predict.main(["--params", str(params), "--model", str(model_file), *map(str, arguments)])

    return call


@pytest.fixture
def messages(tmp_path):
    path = tmp_path / "messages.csv"
    path.write_text("id,text\n01,WIN free cash prize\n02,see you at home mum\n03,\n")
    return path


@pytest.fixture
def make(tmp_path):
    """Return a function that runs `make predict` with a python that prints its arguments."""
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    fake = binaries / "python"
    fake.write_text('#!/bin/sh\nprintf "[%s]" "$@"\n')
    fake.chmod(0o755)
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path)
    for name in (".runtime", ".development"):
        (tmp_path / ".venv" / name).touch()

    def run(*arguments, **variables):
        command = ["make", "--silent", "predict", *arguments]
        environment = {**os.environ, **variables}
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    return run


def test_prints_label_probability_and_telling_words(run, capsys):
    run("WIN cash now, free prize at home")
    printed = capsys.readouterr().out
    assert re.search(r"^label +spam$", printed, re.MULTILINE)
    assert re.search(r"^probability +0\.\d{6} of spam", printed, re.MULTILINE)
    assert re.search(r"^for +spam .*\bprize \+\d\.\d\d", printed, re.MULTILINE)
    assert re.search(r"^against +spam .*\bhome -\d\.\d\d", printed, re.MULTILINE)


def test_adds_up_a_repeated_word(run, capsys):
    run("prize prize")
    assert capsys.readouterr().out.count("prize") == 1


def test_prints_no_control_character_of_a_message(run, capsys):
    run("\x1b[31mprize")
    assert r" \x1b[31mprize +" in capsys.readouterr().out


def test_says_that_no_word_speaks_for_it(run, capsys):
    run("🙂")
    assert "no word" in capsys.readouterr().out


def test_says_that_trees_cannot_be_explained(run, tmp_path, capsys):
    path = tmp_path / "forest.skops"
    save_model(fit_model(RandomForestClassifier(3, random_state=0)), path)
    run("free prize", "--model", path)
    assert "not available: this kind of model has no weights" in capsys.readouterr().out


def test_the_threshold_decides(run, capsys):
    run("free prize", "--threshold", "1")
    assert "label        ham" in capsys.readouterr().out


def test_a_rate_chooses_the_threshold(run, model_file, tmp_path, capsys):
    points = tmp_path / "points.json"
    write_points([OperatingPoint(threshold=0.25, recall=0.5, fpr=0)], model_file, points)
    run("free prize", "--max-fpr", "0.01", "--points", points)
    assert "threshold 0.25" in capsys.readouterr().out


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_scores_a_file(run, messages, model_file, n_jobs):
    target = messages.with_name("scored.csv")
    run("--input", messages, "--output", target, "--jobs", n_jobs, "--max-rejected", 1)
    found = pd.read_csv(target, dtype={"id": str})
    assert found.columns.tolist() == ["id", "text", "label", "probability", "model_version"]
    assert found["id"].tolist() == ["01", "02"]
    assert found["label"].tolist() == ["spam", "ham"]
    assert set(found["model_version"]) == {read_version(model_file)}
    rejected = messages.with_name("scored.rejected.csv").read_text()
    assert rejected == "line,reason,detail\n4,empty text,\n"


@pytest.fixture
def mostly_bad(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("id,text\n1,WIN free cash prize\n2,\n3,\n4\n5,see you\n")
    return path


def test_ends_with_an_error_if_too_many_rows_are_rejected(run, mostly_bad):
    target = mostly_bad.with_name("scored.csv")
    with pytest.raises(ValueError, match=r"^3 of 5 rows of .*bad\.csv rejected, more") as caught:
        run("--input", mostly_bad, "--output", target)
    rejects = mostly_bad.with_name("scored.rejected.csv")
    told = f"more than 1.0%, most often for empty text (2), see {rejects}: if that is right"
    assert f"{told}, run it again with --max-rejected 1" in str(caught.value)
    assert pd.read_csv(target)["id"].tolist() == [1, 5]
    assert len(rejects.read_text().splitlines()) == 4


def test_ends_with_an_error_after_it_has_written_to_standard_output(run, mostly_bad, capfd):
    with pytest.raises(ValueError, match=r"for empty text \(2\), each is named above: if that"):
        run("--input", mostly_bad, "--output", "-")
    assert [line[:2] for line in capfd.readouterr().out.splitlines()] == ["id", "1,", "5,"]


@pytest.mark.parametrize("share", [0.6, 1])
def test_as_many_rows_may_be_rejected_as_one_says(run, mostly_bad, share):
    run("--input", mostly_bad, "--output", "-", "--max-rejected", share)


def test_the_model_says_how_many_rows_may_be_rejected(run, tmp_path, mostly_bad):
    path = tmp_path / "tolerant.skops"
    save_model(fit_model(max_rejected_share=0.6), path)
    run("--input", mostly_bad, "--output", "-", "--model", path)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "cp1252"])
@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_reads_the_given_encoding_and_writes_utf_8(run, tmp_path, encoding, kind):
    source, target = tmp_path / f"messages.{kind}", tmp_path / f"scored.{kind}"
    source.write_bytes("text\ncafé at home\nWIN £500\n".encode(encoding))
    run("--input", source, "--output", target, "--encoding", encoding)
    found = pd.read_csv(target, sep="," if kind == "csv" else "\t")
    assert found["text"].tolist() == ["café at home", "WIN £500"]


def test_reads_the_encoding_of_the_training_data_unless_it_is_json(run, tmp_path):
    path = tmp_path / "model.skops"
    save_model(fit_model(encoding="latin-1"), path)
    for name, content in (
        ("messages.csv", "text\ncafé\n".encode("latin-1")),
        ("messages.jsonl", '{"text": "café"}\n'.encode()),
    ):
        source, target = tmp_path / name, tmp_path / f"scored-{name}"
        source.write_bytes(content)
        run("--input", source, "--output", target, "--model", path)
        assert "café" in target.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        ("klingon", "--encoding is 'klingon': Python knows no such encoding"),
        ("utf-16", r"messages\.csv is not in utf-16 \(.*\): name its encoding with --encoding"),
    ],
)
def test_says_that_an_encoding_is_not_right(run, messages, encoding, message):
    target = messages.with_name("scored.csv")
    messages.write_bytes(messages.read_bytes() + b"a")
    with pytest.raises(ValueError, match=message):
        run("--input", messages, "--output", target, "--encoding", encoding)
    assert not target.exists()


def test_parquet_has_no_encoding_to_choose(run, tmp_path):
    source = tmp_path / "messages.parquet"
    pd.DataFrame({"text": ["hello"]}).to_parquet(source)
    with pytest.raises(
        ValueError, match=r"Parquet files define their own encoding: leave out --encoding"
    ):
        run("--input", source, "--output", tmp_path / "o.parquet", "--encoding", "utf-8")


def test_names_columns_and_files_as_the_options_say(run, messages):
    target, rejected = messages.with_name("scored.txt"), messages.with_name("bad.csv")
    arguments = ["--text-column", "id", "--prefix", "my_", "--rejected", rejected]
    run("--input", messages, "--output", target, "--format", "csv", *arguments)
    header = "id,text,my_label,my_probability,my_model_version"
    assert target.read_text().splitlines()[0] == header
    assert rejected.read_text() == "line,reason,detail\n"


def test_gzip_is_named_as_the_file_without_it(run, messages):
    packed = messages.with_name("messages.csv.gz")
    packed.write_bytes(gzip.compress(messages.read_bytes()))
    run("--input", packed, "--output", messages.with_name("scored.csv.gz"), "--max-rejected", 1)
    scored = gzip.decompress(messages.with_name("scored.csv.gz").read_bytes())
    assert scored.splitlines()[0] == b"id,text,label,probability,model_version"
    rejected = messages.with_name("scored.rejected.csv").read_text()
    assert rejected == "line,reason,detail\n4,empty text,\n"


def test_a_hostile_row_affects_no_other_row(run, messages):
    hostile = ["㏂" * 100_000, "a1." * 300_000, "x" * 2_000_000]
    messages.write_text("text\nfree prize\n" + "\n".join(hostile) + "\nhome\n")
    target = messages.with_name("scored.csv")
    run("--input", messages, "--output", target, "--max-rejected", 1)
    assert pd.read_csv(target)["text"].tolist() == ["free prize", "home"]
    rejected = messages.with_name("scored.rejected.csv").read_text().splitlines()
    assert rejected[1:] == [
        '3,text too long,"400,000 characters in NFKC, at most 100,000"',
        '4,text too long,"900,000 characters, at most 100,000"',
        '5,line too long,"more than 1,000,000 characters"',
    ]


def test_names_the_rejected_file_if_the_disk_is_too_full_for_it(run, messages):
    messages.write_text("text\nhello\n" + "\n" * 20_000)
    target = messages.with_name("scored.csv")
    with full_disk(50_000), pytest.raises(OSError, match="File too large") as caught:
        run("--input", messages, "--output", target)
    assert caught.value.filename == str(messages.with_name("scored.rejected.csv"))
    assert {path.name for path in messages.parent.iterdir()} == {messages.name, "params.yaml"}


def test_names_the_output_if_the_disk_is_too_full_for_both(run, messages):
    target = messages.with_name("scored.csv")
    messages.write_text("text\n" + "\n" * CHUNK_ROWS + "hello\n" * 10_000)
    options = ("--input", messages, "--output", target, "--max-rejected", "1")
    run(*options)
    # What is left of the rejected rows is written when the output has failed.
    size = messages.with_name("scored.rejected.csv").stat().st_size
    with full_disk(size - 1), pytest.raises(OSError, match="File too large") as caught:
        run(*options)
    assert caught.value.filename == str(target)


def test_an_empty_table_stays_empty(run, messages):
    messages.write_text("text\n")
    target = messages.with_name("scored.csv")
    run("--input", messages, "--output", target)
    assert target.read_text() == "text,label,probability,model_version\n"


def test_without_a_scored_row_it_writes_only_the_rejects(run, messages):
    messages.write_text("text\n\n \n")
    target = messages.with_name("scored.csv")
    target.write_text("old")
    with pytest.raises(
        ValueError, match=r"no row of .*messages\.csv could be scored, most often for "
    ) as told:
        run("--input", messages, "--output", target)
    assert target.read_text() == "old"
    assert not list(messages.parent.glob(".*"))
    rejected = messages.with_name("scored.rejected.csv").read_text()
    assert rejected.splitlines()[1:] == ["2,empty line,", "3,empty text,"]
    assert str(told.value).endswith(": check --text-column")


def test_leaves_the_old_output_if_it_fails(run, tmp_path):
    source, target = tmp_path / "messages.jsonl", tmp_path / "scored.jsonl"
    target.write_text("old")
    source.write_text('{"text": "a"}\n' * 5000 + '{"text": "a", "label": 1}\n')
    with pytest.raises(
        ValueError, match=r"line 5001 of .*messages\.jsonl has a column 'label' already"
    ):
        run("--input", source, "--output", target)
    assert target.read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {source.name, target.name, "params.yaml"}


def test_refuses_to_write_over_its_input(run, messages):
    with pytest.raises(ValueError, match="must be different files"):
        run("--input", messages, "--output", messages)
    with pytest.raises(ValueError, match="must be different files"):
        run("--input", messages, "--output", messages.with_name("o.csv"), "--rejected", messages)


@pytest.mark.parametrize(
    ("stream", "arguments", "message"),
    [
        ("stdin", ["--input", "-", "--output", "a.csv"], "standard input is closed: .* --input"),
        ("stdout", ["--input", "a.csv", "--output", "-"], "standard output is closed: .* --output"),
        ("stdout", ["hello"], "standard output is closed: open it"),
    ],
)
def test_refuses_a_closed_stream(run, monkeypatch, stream, arguments, message):
    monkeypatch.setattr(sys, stream, None)
    with pytest.raises(ValueError, match=message):
        run(*arguments)


def test_refuses_to_replace_what_is_not_a_file(run, messages):
    with pytest.raises(ValueError, match="/dev/null exists and is not a file"):
        run("--input", messages, "--output", "/dev/null", "--format", "csv")


def test_writes_the_file_that_a_link_names(run, messages, tmp_path):
    folder, link = tmp_path / "folder", messages.with_name("scored.csv")
    folder.mkdir()
    link.symlink_to("folder/real.csv")
    for _ in range(2):
        run("--input", messages, "--output", link, "--max-rejected", "1")
        assert link.is_symlink()
        assert len((folder / "real.csv").read_text().splitlines()) == 3
        (folder / "real.csv").write_text("old")
    assert [path.name for path in folder.iterdir()] == ["real.csv"]


def test_refuses_a_link_to_a_read_only_file(run, messages):
    cached, link = messages.with_name("cached"), messages.with_name("scored.csv")
    cached.write_text("old")
    cached.chmod(0o444)
    link.symlink_to(cached)
    with pytest.raises(ValueError, match=r"scored\.csv is a link to a read-only file: remove"):
        run("--input", messages, "--output", link)
    assert cached.read_text() == "old"


@pytest.mark.parametrize("prefix", ["a\tb", "a\nb", "\x1b", "\udcff"])
def test_refuses_a_prefix_that_cannot_be_printed(run, messages, prefix):
    with pytest.raises(ValueError, match=r"^--prefix is '.*\\.*': give printable characters$"):
        run("--input", messages, "--output", messages.with_name("b.csv"), "--prefix", prefix)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hello", "--model", "no.skops"], r"no\.skops does not exist"),
        (["hello", "--threshold", "1.5"], "--threshold is 1.5: give a number from 0 to 1"),
        (["hello", "--max-rejected", "nan"], "--max-rejected is nan: give a number from 0 to 1"),
        (["hello", "--jobs", "0"], "--jobs is 0: give 1 or more"),
        (["hello", "--max-fpr", "0.1"], r"model\.points\.json does not exist, --max-fpr needs it"),
        ([" "], "the message cannot be scored: empty text"),
        (["\udcff"], "the message cannot be scored: not valid Unicode"),
        (["x" * 100_001], r"cannot be scored: text too long \(100,001 characters, at most"),
    ],
)
def test_says_what_is_wrong_in_one_sentence(run, arguments, message):
    with pytest.raises(UserError, match=message):
        run(*arguments)


def test_refuses_a_pickle(run, tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x04.")
    with pytest.raises(ValueError, match=r"model\.pkl is a pickle"):
        run("hello", "--model", path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["claim", "your", "prize"], "takes one message, not 3 arguments: put the message in quot"),
        (["--json", '{"text": "a"}'], "takes one text, 'text': give it without --json"),
    ],
)
def test_takes_one_message(run, arguments, message):
    with pytest.raises(UserError, match=message):
        run(*arguments)


def test_a_message_may_look_like_a_value_of_a_row(run, capsys):
    run("prize=500", "--threshold", "0.5")
    assert "label        spam" in capsys.readouterr().out


def test_needs_no_parameters_if_the_threshold_is_given(model_file, capsys):
    options = ["--params", "none.yaml", "--model", str(model_file)]
    predict.main([*options, "--threshold", "0.5", "free prize"])
    assert "label        spam" in capsys.readouterr().out
    with pytest.raises(UserError, match="give --threshold"):
        predict.main([*options, "free prize"])


def test_explains_the_messages_of_a_file(run, messages):
    messages.write_text("text\nfree prize at home\n\nhome; home\n🙂\n")
    target = messages.with_name("scored.csv")
    run("--input", messages, "--output", target, "--max-rejected", 1, "--explain")
    found = pd.read_csv(target)
    assert list(found) == ["text", "label", "probability", "contributions", "model_version"]
    assert re.match(r"home: -\d\.\d+; prize: \+\d", found["contributions"][0])
    assert re.match(
        r'(home: -[\d.]+; "home;": -|"home;": -[\d.]+; home: -)', found["contributions"][1]
    )
    assert found["contributions"][2].startswith("🙂: -")


def test_refuses_to_explain_messages_without_weights(run, messages, tmp_path):
    path = tmp_path / "forest.skops"
    save_model(fit_model(RandomForestClassifier(3, random_state=0)), path)
    target = messages.with_name("scored.csv")
    with pytest.raises(UserError, match=r"forest\.skops cannot explain messages: .*--explain"):
        run("--input", messages, "--output", target, "--explain", "--model", path)
    assert not target.exists()


def test_two_labels_have_no_other_probabilities(run, messages):
    target = messages.with_name("scored.csv")
    with pytest.raises(UserError, match="task binary has no --all-probabilities: leave it out"):
        run("--input", messages, "--output", target, "--all-probabilities")


@pytest.mark.parametrize(
    "arguments",
    [[], ["hello", "--input", "a.csv"], ["--input", "a.csv"], ["hello", "--output", "b.csv"]],
)
def test_wants_one_message_or_two_files(run, arguments, capsys):
    with pytest.raises(SystemExit):
        run(*arguments)
    assert (
        "give one message, the values of one row, or --input and --output"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    "text",
    [
        "plain text",
        'it\'s "quoted"',
        "cost $5 $HOME $(HOME) $$ ${PATH} $@",
        "`touch ran` $(touch ran) $(shell touch ran)",
        "--model x",
        "# no comment; touch ran \\ end\\",
        "%s £ 🙂 a=b, (c",
        "two\nlines",
    ],
)
def test_make_hands_the_text_over_as_it_is(make, tmp_path, text):
    expected = f"[src][predict][--][{text}]"
    assert make(f"TEXT={text}").stdout == expected
    assert make(TEXT=text).stdout == expected
    assert not (tmp_path / "ran").exists()


def test_make_asks_for_a_text(make):
    asked = make()
    assert asked.returncode != 0
    assert "name the text, as in \"make predict TEXT='You won! Call now'\"" in asked.stderr
