"""Tests of writing params.yaml for a new data set."""

import contextlib
import hashlib
import io
import json
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commands import start
from core.errors import UserError
from core.params import Yaml12Loader
from tests.support.sections import check_params

ROOT = Path(__file__).parents[2]
ADJECTIVES = ["good", "bad", "red", "late", "new", "old", "big"]
# Seven is prime, so labels follow no column of period two or three.
MESSAGES = "label,text\n" + "".join(
    f"{'ham' if i % 7 < 5 else 'spam'},message {hashlib.md5(bytes(i)).hexdigest()} about things\n"
    for i in range(120)
)


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Return a function that starts with a file of some content, and returns the sections."""
    monkeypatch.chdir(tmp_path)

    def call(content, target, *options, name="data.csv"):
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        start.main(["--data", name, "--target", target, "--yes", *options])
        return check_params(tmp_path / "params.yaml")

    return call


def list_keys(sections, depth=3):
    """Return the keys of nested sections."""
    if not isinstance(sections, dict) or depth == 0:
        return None
    return {key: list_keys(value, depth - 1) for key, value in sections.items()}


def test_two_labels_of_a_text_get_the_settings_of_messages(write):
    params = write(MESSAGES, "label")
    schema = params["schema"]
    assert (schema["task"], schema["labels"], schema["positive"]) == (
        "binary",
        ["ham", "spam"],
        "spam",
    )
    assert schema["text"] == ["text"]
    assert params["data_ingestion"]["sources"] == ["data.csv"]
    assert params["data_ingestion"]["sha256"] == hashlib.sha256(MESSAGES.encode()).hexdigest()
    assert params["preprocessing"]["duplicates"] == "near"
    assert params["model_building"]["estimator"] == "ensemble"
    assert params["model_building"]["augmentation"]["enabled"]


@pytest.mark.parametrize(
    ("file", "name"),
    [("Sales 2024.v2.csv", "sales"), ("Zähl-daten.csv", "z-hl-daten"), ("2024.csv", "model")],
)
def test_a_model_is_named_after_its_file(write, file, name):
    card = write(MESSAGES, "label", name=file)["model"]
    described = f"Predicts label, from {'the data' if name == 'model' else file}"
    assert (card["name"], card["description"]) == (name, described)


def test_every_key_of_the_committed_parameters_is_written(write):
    committed = yaml.load((ROOT / "params.yaml").read_text(), Loader=Yaml12Loader)
    written = write(MESSAGES, "label")
    for each in (committed, written):
        del each["model_building"]["params"]
    assert list_keys(written) == list_keys(committed)


def test_a_table_gets_boosting_compared_with_a_linear_model(write):
    rows = [f"{i % 17 / 2},{'abc'[i * i % 11 % 3]},{i * i % 101 / 7 + 1}" for i in range(400)]
    params = write("\n".join(["size,kind,price", *rows]), "price")
    assert params["schema"]["task"] == "regression"
    assert (params["schema"]["number"], params["schema"]["category"]) == (["size"], ["kind"])
    model = params["model_building"]
    assert (model["estimator"], model["candidates"]) == ("hist_gradient_boosting", ["ridge"])
    assert model["search"]["scoring"] == "r2"
    assert not model["augmentation"]["enabled"]
    assert params["preprocessing"]["duplicates"] == "exact"


def test_small_data_gets_small_limits(write):
    rows = [f"{i * 7 % 13 / 3},{'abc'[i * i % 11 % 3]}" for i in range(60)]
    params = write("\n".join(["x,kind", *rows]), "kind")
    rarest = pd.Series([row[-1] for row in rows]).value_counts().min()
    assert params["data_validation"]["min_rows_per_label"] == rarest // 2
    assert params["model_building"]["search"]["cv"] <= rarest * 0.8 / 2


def test_rows_that_are_equal_by_chance_are_split(write):
    rows = [f"{'abc'[i * i % 7 % 3]},{i * i % 11 % 2},{'yn'[i * i % 97 % 2]}" for i in range(200)]
    preprocessing = write("\n".join(["kind,size,label", *rows]), "label")["preprocessing"]
    assert preprocessing["duplicates"] == "keep"
    assert "# exact leaves only 6 groups of rows" in Path("params.yaml").read_text()


def test_texts_that_are_all_similar_are_split(write):
    text = " ".join(f"the {i}th of the words that all of them have" for i in range(20))
    rows = [
        f"{'ab'[i * i % 7 % 2]},{ADJECTIVES[i % 7]} {text} {ADJECTIVES[i % 5]}" for i in range(70)
    ]
    preprocessing = write("\n".join(["label,text", *rows]), "label")["preprocessing"]
    assert preprocessing["duplicates"] == "exact"


def test_texts_as_long_as_articles_are_kept(write):
    rows = [f'{"ab"[i * i % 7 % 2]},"{f"word{i} " * (4000 if i == 3 else 900)}"' for i in range(60)]
    params = write("\n".join(["label,text", *rows]), "label")
    assert params["data_validation"]["max_length"] == 50_000
    assert not params["feature_engineering"]["characters"]["enabled"]
    assert params["model_building"]["estimator"] == "logistic_regression"


def test_rows_that_cannot_be_used_raise_the_allowed_share(write):
    params = write(MESSAGES + ",no label here\n" * 6 + "broken\n" * 4, "label")
    assert params["data_validation"]["max_rejected_share"] == 0.12
    comment = "6 with missing target, 4 with wrong number of fields"
    assert comment in Path("params.yaml").read_text()


def test_mostly_useless_rows_are_refused(write):
    with pytest.raises(
        UserError, match="only 120 of 320 rows can be used: 200 with missing target"
    ):
        write(MESSAGES + ",no label here\n" * 200, "label")


def test_columns_that_give_the_target_away_are_left_out(write):
    rows = [(i * 7 % 23, i * 5 % 31, i % 11) for i in range(90)]
    lines = [f"{a},{b},{2 * (a + b)},{c},{a + b}" for a, b, c in rows]
    schema = write("\n".join(["u,v,twice,fair,sum", *lines]), "sum", "--task=regression")["schema"]
    assert schema["drop"] == ["u", "v", "twice"]
    assert "the sum of columns 'u' and 'v' is the target" in Path("params.yaml").read_text()


def test_a_table_of_leaks_alone_is_refused(write):
    rows = [f"{i * 7},{i % 2},{'pq'[i % 2]}" for i in range(90)]
    with pytest.raises(UserError, match=r"no column can be a feature: key \(id\), x \(drop\)"):
        write("\n".join(["key,x,label", *rows]), "label")


def test_regular_dates_of_a_regression_are_split_by_time(write):
    days = pd.date_range("2023-01-01", periods=200).strftime("%d.%m.%Y")
    rows = [f"{day},{i % 9},{i * i % 97 / 3}" for i, day in enumerate(days)]
    params = write("\n".join(["day,x,sold", *rows]), "sold")
    assert params["data_validation"]["date_formats"] == [{"column": "day", "format": "%d.%m.%Y"}]
    assert params["preprocessing"]["split_method"] == "time"
    assert params["preprocessing"]["split_column"] == "day"


def test_dates_of_a_trend_may_predict_it(write):
    days = pd.date_range("2023-01-01", periods=200).strftime("%Y-%m-%d")
    rows = [f"{day},{i * i % 97},{i + i * i % 7 / 5}" for i, day in enumerate(days)]
    params = write("\n".join(["day,x,level", *rows]), "level")
    assert params["schema"]["date"] == ["day"]
    assert params["data_validation"]["leakage"]["allow"] == ["day"]
    assert params["preprocessing"]["split_method"] == "time"


def test_ambiguous_dates_are_asked_for(write):
    rows = [f"0{i % 9 + 1}/0{i % 7 + 1}/2024,{i * i % 97 / 3}" for i in range(60)]
    text = "\n".join(["day,sold", *rows])
    with pytest.raises(UserError, match=r"data\.csv: column 'day' .* --date-format"):
        write(text, "sold")
    params = write(text, "sold", "--date-format", "day=%m/%d/%Y")
    assert params["data_validation"]["date_formats"][0]["format"] == "%m/%d/%Y"


def test_reserved_names_are_changed_everywhere(write):
    rows = [f"{line},{i}" for i, line in enumerate(MESSAGES.splitlines()[1:])]
    params = write("\n".join(["group,text,row", *rows]), "group")
    assert params["schema"]["target"] == "group_value"
    assert params["schema"]["id"] == ["row_value"]
    assert {each["column"]: each["to"] for each in params["data_validation"]["rename"]} == {
        "group": "group_value",
        "row": "row_value",
    }


def test_json_lines_and_parquet_give_the_same_schema(write):
    df = pd.DataFrame(
        {
            "size": [i % 17 / 2 for i in range(80)],
            "is_new": [i * i % 5 > 2 for i in range(80)],
            "made": pd.date_range("2024-01-01", periods=80, freq="40h"),
            "kind": ["abc"[i * i % 11 % 3] for i in range(80)],
        }
    )
    file = io.BytesIO()
    df.to_parquet(file)
    lines = df.assign(made=df["made"].astype("str")).to_dict("records")
    schemas = [
        write(content, "kind", name=name)["schema"]
        for name, content in (
            ("data.parquet", file.getvalue()),
            ("data.jsonl", "\n".join(map(json.dumps, lines))),
            ("data.csv", df.to_csv(index=False)),
        )
    ]
    assert schemas[0]["date"] == ["made"]
    assert schemas[0] == schemas[1]
    assert schemas[2]["number"] == ["size"]


def test_columns_of_lists_and_objects_are_left_out(write):
    rows = [{"a": i % 7, "tags": ["x"] * (i % 3), "y": "pq"[i * i % 5 > 1]} for i in range(60)]
    schema = write("\n".join(map(json.dumps, rows)), "y", name="data.jsonl")["schema"]
    assert (schema["number"], schema["drop"]) == (["a"], ["tags"])


def test_nothing_is_replaced_without_a_terminal_or_yes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("data.csv").write_text(MESSAGES)
    options = ["--data", "data.csv", "--target", "label"]
    start.main(options)
    Path("params.yaml").write_text("mine: 1\n")
    with pytest.raises(UserError, match=r"params\.yaml exists, and nothing was written: add --yes"):
        start.main(options)
    assert Path("params.yaml").read_text() == "mine: 1\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("answer", "is_replaced"), [("y\n", True), ("n\n", False), ("", False)])
def test_a_terminal_shows_the_file_and_asks(tmp_path, monkeypatch, answer, is_replaced):
    monkeypatch.chdir(tmp_path)
    Path("data.csv").write_text(MESSAGES)
    Path("params.yaml").write_text("mine: 1\n")
    shown = Terminal()
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    monkeypatch.setattr("sys.stdout", shown)
    start.main(["--data", "data.csv", "--target", "label"])
    assert "positive: spam  # the rarer label" in shown.getvalue()
    assert "Replace params.yaml by this? [y/N]" in shown.getvalue()
    assert (Path("params.yaml").read_text() != "mine: 1\n") == is_replaced


def test_changes_that_are_not_committed_are_kept(write, capsys):
    def git(*arguments):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], check=True)

    git("init", "--quiet")
    Path("params.yaml").write_text("mine: 1\n")
    git("add", "params.yaml")
    git("commit", "--quiet", "--message", "x")
    write(MESSAGES, "label")
    assert not Path("params.yaml.bak").exists()
    assert "the previous one is in Git: git checkout params.yaml" in capsys.readouterr().out
    Path("params.yaml").write_text("mine: 2\n")
    write(MESSAGES, "label")
    assert Path("params.yaml.bak").read_text() == "mine: 2\n"
    Path("params.yaml").write_text("mine: 3\n")
    write(MESSAGES, "label")
    assert Path("params.yaml.bak").read_text() == "mine: 2\n"
    assert Path("params.yaml.bak2").read_text() == "mine: 3\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--target=price"], "there is no column 'price', only label, text"),
        (["--target=label", "--task=regression"], "task regression needs numbers"),
        (["--target=label", "--positive=eggs"], "no label 'eggs', only ham, spam"),
        (["--target=label", "--date-format=x"], "is not COLUMN=FORMAT"),
        (["--target=label", "--date-format=x=%Y"], "there is no column 'x'"),
        (["--target=label", "--encoding=klingon"], "no encoding 'klingon'"),
    ],
)
def test_wrong_options_are_one_sentence(tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    Path("data.csv").write_text(MESSAGES)
    with pytest.raises(UserError, match=message):
        start.main(["--data=data.csv", "--yes", *options])
    assert not Path("params.yaml").exists()


def test_a_missing_file_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError, match=r"no\.csv"):
        start.main(["--data=no.csv", "--target=y"])


def test_generated_data_is_fetched_as_the_pipeline_does(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = "synthetic://classification?rows=300&features=6&weights=0.9,0.1&random_state=0"
    start.main(["--data", source, "--target", "target"])
    params = check_params(tmp_path / "params.yaml")
    assert params["data_ingestion"]["sources"] == [source]
    assert params["model_building"]["search"]["scoring"] == "average_precision"


VALUES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(
        ["", " ", "NA", "01", "1", "2", "3.5", "1,5", "1,234", "$5", "5%", "yes", "no"]
    ),
    st.sampled_from(
        ["2024-01-02", "01/02/2024", "3.2.2024", "inf", "1e999", "null", "some words of text"]
    ),
    st.integers().map(str),
    st.floats().map(str),
)
NAMES = st.one_of(
    st.sampled_from(["id", "row", "group", "added", "x", "x_tokens", "y y", "date", "no", "", "1"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)


@st.composite
def tables(draw):
    """Return the names of columns, and rows of which some repeat values."""
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    n_rows = draw(st.sampled_from([3, 25, 55]))
    pools = [draw(st.lists(VALUES, min_size=1, max_size=8)) for _ in names]
    picks = [draw(st.integers(1, 97)) for _ in names]
    columns = [
        [pool[i * i * pick % 89 % len(pool)] for i in range(n_rows)]
        if draw(st.booleans())
        else [f"{pool[i % len(pool)]}{i * pick}" for i in range(n_rows)]
        for pool, pick in zip(pools, picks, strict=True)
    ]
    labels = draw(st.lists(VALUES, min_size=1, max_size=6))
    target = [labels[i * i % 83 % len(labels)] for i in range(n_rows)]
    return [*names, "the target"], list(zip(*columns, target, strict=True))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables(), st.sampled_from(["csv", "tsv", "jsonl", "parquet"]))
def test_any_table_gives_valid_parameters_or_one_sentence(tmp_path_factory, table, kind):
    names, rows = table
    df = pd.DataFrame(rows, columns=names, dtype="str")
    folder = tmp_path_factory.mktemp("start")
    path, output = folder / "data", folder / "params.yaml"
    if kind == "parquet":
        df.to_parquet(path)
    elif kind == "jsonl":
        path.write_text("\n".join(json.dumps(row) for row in df.to_dict("records")))
    else:
        df.to_csv(path, index=False, sep="," if kind == "csv" else "\t")
    # Any exception but a UserError fails the test.
    with contextlib.suppress(UserError):
        start.main([f"--data={path}", "--target=the target", f"--output={output}"])
    if output.exists():
        check_params(output)
