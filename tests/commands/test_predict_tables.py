"""Tests of predicting for rows of tables, with models that the stages built."""

import io
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from commands import predict
from core.errors import UserError
from core.locks import take_lock
from models import predictions
from models.description import add_description, read_description
from models.store import load_model, save_model
from records.chunks import CHUNK_ROWS
from tests.support.built_table import TASKS, make_source
from tests.support.small_model import read_version

ADDED = {
    "binary": ["label", "probability"],
    "multiclass": ["label", "probability"],
    "regression": ["prediction", "lower", "upper"],
}


@pytest.fixture
def run(built, monkeypatch):
    """Return a function that calls main with the model of a task, in its folder."""

    def call(task, *arguments):
        monkeypatch.chdir(built(task))
        predict.main([*map(str, arguments)])

    return call


@pytest.fixture
def score(run, tmp_path):
    """Return a function that scores the text of a CSV, and returns output and rejected rows."""

    def call(task, text, *arguments):
        source, target = tmp_path / "rows.csv", tmp_path / "scored.csv"
        source.write_text(text)
        run(task, "--input", source, "--output", target, "--max-rejected", 1, *arguments)
        rejected = pd.read_csv(target.with_suffix(".rejected.csv"), keep_default_na=False)
        return pd.read_csv(target, sep=";"), rejected

    return call


HEADER = "note;group;price;size;sold"
GOOD = "as new;red;100,5;small;03.04.2020"


def read_output(path, kind):
    if kind == "csv":
        return pd.read_csv(path, sep=";")
    return pd.read_json(path, lines=True) if kind == "jsonl" else pd.read_parquet(path)


def write_rows(df, path, kind):
    if kind == "csv":
        df.to_csv(path, sep=";", index=False)
    elif kind == "jsonl":
        df.to_json(path, orient="records", lines=True)
    else:
        df.to_parquet(path, index=False)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("task", TASKS)
def test_gives_the_metrics_of_the_test_set(built, run, tmp_path, task, kind):
    test = pd.read_parquet(built(task) / "data/interim/test.parquet")
    rows = make_source(task).iloc[test["row"] - 2].drop(columns="target")
    source, target = tmp_path / f"rows.{kind}", tmp_path / f"scored.{kind}"
    # The order of columns is free, and others are kept.
    write_rows(rows[rows.columns[::-1]].assign(other="=1+1"), source, kind)
    run(task, "--input", source, "--output", target)
    found = read_output(target, kind)
    assert list(found) == [*rows.columns[::-1], "other", *ADDED[task], "warnings", "model_version"]
    assert set(found["model_version"].astype(str)) == {
        read_version(built(task) / "models/model.skops")
    }
    metrics = json.loads((built(task) / "reports/metrics.json").read_text())["test"]
    if task == "regression":
        actual = test["target"].to_numpy()
        errors = np.abs(found["prediction"] - actual)
        assert errors.mean() == pytest.approx(metrics["mae"], rel=1e-6)
        inside = (found["lower"] <= actual) & (actual <= found["upper"])
        assert 0.75 < inside.mean() <= 1
    else:
        is_right = found["label"].to_numpy() == test["target"].astype("str").to_numpy()
        assert is_right.mean() == pytest.approx(metrics["accuracy"], abs=1e-6)


def test_two_processes_give_the_same(run, tmp_path):
    source = tmp_path / "rows.csv"
    source.write_text("\n".join([HEADER, *[GOOD] * 50_000]) + "\n")
    for n_jobs in (1, 2):
        run(
            "multiclass",
            "--input",
            source,
            "--output",
            tmp_path / f"{n_jobs}.csv",
            "--jobs",
            n_jobs,
        )
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()


@pytest.mark.parametrize(
    ("row", "reason", "detail"),
    [
        ("as new;red;cheap;small;03.04.2020", "not a number", "price: 'cheap'"),
        ("as new;red;1.5;small;03.04.2020", "not a number", "price: '1.5'"),
        ("as new;red;NaN;small;03.04.2020", "not a number", "price: 'NaN'"),
        ("as new;red;inf;small;03.04.2020", "infinite number", "price: 'inf'"),
        ("as new;red;1e400;small;03.04.2020", "infinite number", "price: '1e400'"),
        ("as new;red;-1;small;03.04.2020", "too small, above is 0", "price: '-1'"),
        ("as new;red;1;tiny;03.04.2020", "value not in its order", "size: 'tiny'"),
        ("as new;red;1;small;31.02.2020", "not a date like %d.%m.%Y", "sold: '31.02.2020'"),
        ("as new;red;1;small;2020-02-01", "not a date like %d.%m.%Y", "sold: '2020-02-01'"),
        ("as new;red;1;small", "wrong number of fields", "4, expected 5"),
        ("as new" + ";1" * 10_000, "wrong number of fields", "10001, expected 5"),
        ("x" * 100_001 + GOOD[6:], "text too long", "note: 100,001 characters, at most 100,000"),
    ],
)
def test_rejects_a_row_with_its_reason(score, row, reason, detail):
    found, rejected = score("regression", f"{HEADER}\n{GOOD}\n{row}\n{GOOD}\n")
    assert len(found) == 2
    assert rejected.to_numpy().tolist() == [[3, reason, detail]]


def test_missing_values_are_imputed_as_in_training(score):
    found, rejected = score("regression", f"{HEADER}\n;?;?;;\n")
    assert len(found) == 1
    assert rejected.empty


def test_counts_values_that_no_training_row_has(score, caplog):
    rows = [GOOD, GOOD.replace("red", "pink"), GOOD.replace("100,5;small;03.04.2020", "900;;")]
    rows.append("as new;pink;900;small;03.04.2030")
    found, rejected = score("binary", "\n".join([HEADER, *rows]) + "\n")
    assert rejected.empty
    outside = "price: outside the training range"
    assert found["warnings"].fillna("").tolist() == [
        "",
        "group: unseen value",
        outside,
        f"{outside}; group: unseen value; sold: outside the training range",
    ]
    assert (
        "rows with unusual values: price: outside the training range (2); group: unseen value (2); "
        "sold: outside the training range (1)"
    ) in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "does not start with a header"),
        ("note;group;size;sold\nas new;red;small;\n", "has no column 'price', only note, group"),
        (f"{HEADER};price\n{GOOD};1\n", "has the column 'price' more than once"),
        (f"{HEADER};lower\n{GOOD};1\n", "has a column 'lower' already: .*--prefix"),
        (f"{HEADER}\nbad\n", "no row of .* could be scored, .*: check section data_validation"),
    ],
)
def test_refuses_a_file_in_one_sentence(score, text, message):
    with pytest.raises(UserError, match=message):
        score("regression", text)


def test_a_file_without_rows_gives_one(score):
    found, rejected = score("multiclass", f"{HEADER}\n", "--prefix", "our_")
    added = [*ADDED["multiclass"], "warnings", "model_version"]
    assert list(found)[-4:] == [f"our_{name}" for name in added]
    assert found.empty
    assert rejected.empty


def test_takes_a_table_of_ten_thousand_columns(score):
    more = ";".join(f"c{number}" for number in range(10_000))
    found, _ = score("regression", f"{HEADER};{more}\n{GOOD}{';1' * 10_000}\n")
    assert found.shape == (1, 5 + 10_000 + 5)


def test_refuses_an_output_that_another_process_is_writing(score, tmp_path):
    temporary = tmp_path / ".scored.csv.tmp"
    with take_lock(temporary), pytest.raises(UserError, match=r"is writing to .*scored\.csv: wait"):
        score("regression", f"{HEADER}\n{GOOD}\n")
    assert temporary.exists()
    assert len(score("regression", f"{HEADER}\n{GOOD}\n")[0]) == 1
    assert not temporary.exists()


def test_json_lines_may_lack_a_key_but_not_all_of_them_one(run, tmp_path):
    source, target = tmp_path / "rows.jsonl", tmp_path / "scored.jsonl"
    row = {"note": "as new", "group": "red", "price": 1.5, "size": "small", "sold": "03.04.2020"}
    lines = [row, {"group": "red"}, {}, {**row, "price": [1]}, {**row, "price": True}]
    lines.append({**row, "group": "\ud800"})
    source.write_text(
        "\n".join(map(json.dumps, lines)) + "\n" + '{"price": NaN}\n{"price": 1e999}\n'
    )
    options = ("--input", source, "--output", target, "--max-rejected", 1)
    run("regression", *options)
    rejected = pd.read_csv(target.with_suffix(".rejected.csv"))
    assert rejected["line"].tolist()[0] == 3
    reasons = {"empty object", "malformed JSON", "infinite number", "not valid Unicode"}
    assert reasons <= set(rejected["reason"])
    source.write_text(json.dumps({"note": "as new", "cost": 1}) + "\n")
    with pytest.raises(UserError, match="has no column 'price', 'group', 'size', 'sold', only"):
        run("regression", *options)


def test_answers_rows_of_a_pipe(run, monkeypatch, tmp_path, capfd):
    text = "\n".join([HEADER, *[GOOD] * (CHUNK_ROWS + 1)])
    source = tmp_path / "rows.csv"
    source.write_text(text)
    with source.open() as file:
        monkeypatch.setattr("sys.stdin", file)
        run("binary", "--input", source, "--output", "-")
    found = pd.read_csv(io.StringIO(capfd.readouterr().out), sep=";")
    assert len(found) == CHUNK_ROWS + 1


ROW = {"note": "as new", "group": "red", "price": "100,5", "size": "small", "sold": "03.04.2020"}


@pytest.mark.parametrize(
    ("task", "pattern"),
    [
        (
            "binary",
            r"label +(no|yes)\nprobability +0\.\d{6} of yes, threshold 0\.5\nWhat each value ",
        ),
        ("multiclass", r"label +\w+\nprobability +0\.\d{6} of \w+\n +0\.\d{6} of "),
        ("regression", r"prediction +\d+\.\d+\ninterval +[\d.]+ to [\d.]+, which holds for 90%"),
    ],
)
def test_predicts_for_one_row_and_explains_it(run, capsys, task, pattern):
    run(task, *(f"{name}={value}" for name, value in ROW.items()))
    printed = capsys.readouterr().out
    assert re.match(pattern, printed)
    assert re.search(r"^  [+-]\d.*price=100\.5 EUR$", printed, re.MULTILINE)
    run(task, "--json", json.dumps({**ROW, "key": 1}))
    assert capsys.readouterr().out == printed


def test_one_row_gives_what_a_file_gives(run, score, capsys):
    found, _ = score("regression", f"{HEADER}\n{GOOD}\n")
    run("regression", "--json", json.dumps(ROW))
    assert f"prediction   {found['prediction'][0]:g}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("[1]", "--json cannot be read: not a JSON object"),
        ("{", "--json cannot be read: malformed JSON"),
        ("{}", "the row has no column 'note', 'price', .*, 'sold': the model needs"),
        (
            json.dumps({**ROW, "price": "a"}),
            r"row cannot be scored, column 'price': not a number \('a'\)",
        ),
        (
            json.dumps({**ROW, "price": None, "size": "x"}),
            r"scored, column 'size': value not in its order \('x'\)",
        ),
    ],
)
def test_refuses_a_row_in_one_sentence(run, row, message):
    with pytest.raises(UserError, match=message):
        run("regression", "--json", row)


def test_says_that_a_value_is_unseen(run, capsys):
    run("binary", "--json", json.dumps({**ROW, "group": "pink"}))
    assert "warning      group: unseen value\n" in capsys.readouterr().out


def test_coverage_widens_the_interval(score):
    widths = []
    for coverage in (0.5, 0.95):
        found, _ = score("regression", f"{HEADER}\n{GOOD}\n", "--coverage", coverage)
        widths.append(found["upper"][0] - found["lower"][0])
    assert widths[0] < widths[1]
    with pytest.raises(UserError, match=r"no prediction interval for a coverage of 0\.77: choose"):
        score("regression", f"{HEADER}\n{GOOD}\n", "--coverage", 0.77)


@pytest.mark.parametrize(
    ("task", "arguments", "message"),
    [
        (
            "regression",
            ["--threshold", "0.5", "--json", "{}"],
            "task regression has no --threshold",
        ),
        ("multiclass", ["--max-fpr", "0.5", "--json", "{}"], "task multiclass has no --max-fpr"),
        ("binary", ["--coverage", "0.5", "--json", "{}"], "task binary has no --coverage"),
        (
            "binary",
            ["hello"],
            "'hello' is not written as column=value, .* takes note, price, group, size, sold: ",
        ),
        ("binary", ["--text-column", "a", "--json", "{}"], "--text-column is for messages alone"),
    ],
)
def test_refuses_options_of_other_tasks(run, task, arguments, message):
    with pytest.raises(UserError, match=message):
        run(task, *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["note=a", "note=b"], "^the column 'note' is given twice: remove one of them"),
        (["group=a", "colour=b"], "^the column 'colour' is given twice"),
        (
            ["note=a", "cost=1"],
            "no column 'cost', .* takes note, price, group, size, sold: correct",
        ),
        (
            ["note=a", "price=1,5"],
            "^the row has no column 'group', 'size', 'sold', only note, price",
        ),
        (["note=\udcff"], "^the value of 'note' is not valid Unicode"),
        (
            ["colour", "size"],
            "'colour' is not written as column=value, .*: give a row as in 'note=",
        ),
    ],
)
def test_refuses_values_in_one_sentence(run, arguments, message):
    with pytest.raises(UserError, match=message):
        run("regression", *arguments)


def test_a_value_may_be_missing_and_may_contain_equal_signs(run, capsys):
    run("regression", "note=a=b", "price=", "--prefix", "x", "group=?", "size=", "sold=")
    assert "note" not in (printed := capsys.readouterr().out).splitlines()[0]
    assert re.search(r"price=missing$", printed, re.MULTILINE)


def test_multiclass_needs_no_parameters_and_may_give_all_probabilities(score):
    options = ("--params", "none.yaml", "--all-probabilities")
    found, _ = score("multiclass", f"{HEADER}\n{GOOD}\n", *options)
    names = ["probability_cheap", "probability_dear", "probability_fair"]
    assert list(found)[5:] == ["label", "probability", *names, "warnings", "model_version"]
    assert found[names].sum(axis=1)[0] == pytest.approx(1)
    assert found["probability"][0] == found[f"probability_{found['label'][0]}"][0]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize(("task", "name"), [("binary", "contributions"), ("multiclass", "changes")])
def test_explains_the_rows_of_a_file(run, tmp_path, capsys, task, name, kind):
    source, target = tmp_path / f"rows.{kind}", tmp_path / f"scored.{kind}"
    write_rows(pd.DataFrame([ROW] * 3), source, kind)
    run(task, "--input", source, "--output", target, "--explain")
    found = read_output(target, kind)
    assert list(found)[5:] == ["label", "probability", name, "warnings", "model_version"]
    assert len(set(found[name])) == 1
    assert re.search(r"(^|; )price=100\.5: [+-][\d.]+(; |$)", found[name][0])
    run(task, "--json", json.dumps(ROW))
    strongest = capsys.readouterr().out.splitlines()[-8:]
    assert len(found[name][0].split("; ")) <= len(strongest)


def test_several_processes_explain_the_same(run, tmp_path):
    source = tmp_path / "rows.csv"
    source.write_text("\n".join([HEADER, *[GOOD] * 300]) + "\n")
    for n_jobs in (1, 2):
        target = tmp_path / f"{n_jobs}.csv"
        run("binary", "--input", source, "--output", target, "--jobs", n_jobs, "--explain")
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()


def test_rows_without_a_finite_prediction_are_rejected(run, tmp_path, monkeypatch):
    source, target = tmp_path / "rows.csv", tmp_path / "scored.csv"
    source.write_text(f"{HEADER}\n{GOOD}\n{GOOD.replace('red', 'green')}\n{GOOD}\n")

    def score(model, _, inputs):
        found = np.asarray(model.predict(inputs), float) if len(inputs) else np.empty(0)
        return np.where(np.arange(len(found)) == 1, np.inf, found)

    changed = replace(predictions.PREDICTIONS["regression"], score=score)
    monkeypatch.setitem(predictions.PREDICTIONS, "regression", changed)
    run("regression", "--input", source, "--output", target, "--explain", "--max-rejected", 1)
    assert pd.read_csv(target, sep=";")["group"].tolist() == ["red", "red"]
    rejected = pd.read_csv(target.with_suffix(".rejected.csv"))
    assert rejected[["line", "reason"]].to_numpy().tolist() == [[3, "no finite prediction"]]


def test_tsv_cannot_hold_every_label(built, tmp_path):
    folder = shutil.copytree(built("multiclass"), tmp_path / "copy")
    path = folder / "models/model.skops"
    model = load_model(path)
    estimator = model[-1]
    estimator.classes_ = np.where(estimator.classes_ == "dear", "very\tdear", estimator.classes_)
    description = read_description(model, path)
    counts = {
        label.replace("dear", "very\tdear"): n for label, n in description.target.counts.items()
    }
    target = description.target.model_copy(update={"counts": counts})
    save_model(add_description(model, description.model_copy(update={"target": target})), path)
    (tmp_path / "rows.tsv").write_text("\n".join([HEADER, GOOD]).replace(";", "\t") + "\n")
    options = ["--model", str(path), "--allow-changed-code", "--input", str(tmp_path / "rows.tsv")]
    with pytest.raises(UserError, match=r"TSV cannot hold the label 'very\\tdear'.*: use CSV"):
        predict.main([*options, "--output", str(tmp_path / "o.tsv")])
