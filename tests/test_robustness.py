"""Tests of measuring robustness."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest

import robustness
from models.store import save_model
from tests.support.small_model import HAM, SPAM, fit_model

CATEGORIES = ["ham", "spam"]


@pytest.fixture
def files(tmp_path):
    save_model(fit_model(), tmp_path / "model.skops")
    for name, ham, spam in (("train", HAM, SPAM), ("test", HAM * 2, [*SPAM, "see you at home"])):
        labels = ["ham"] * len(ham) + ["spam"] * len(spam)
        df = pd.DataFrame({"label": pd.Categorical(labels, CATEGORIES), "text": ham + spam})
        df.assign(group=range(len(df))).to_parquet(tmp_path / f"{name}.parquet")
    return tmp_path


@pytest.fixture
def measure(params_file, files):
    """Return a function that measures the model in ``files`` under some attacks."""

    def run(attacks):
        changes = {"robustness.attacks": attacks, "robustness.bootstrap_samples": 100}
        params = params_file({**changes, "model_evaluation.threshold": 0.5})
        argv = [f"--params={params}", f"--model={files / 'model.skops'}"]
        argv += [f"--{name}={files / name}.parquet" for name in ("train", "test")]
        output = files / "reports" / "robustness.json"
        robustness.main([*argv, f"--output={output}"])
        return json.loads(output.read_text())

    return run


def test_measures_each_attack_and_the_messages_as_they_are(measure, files):
    found = measure({"upper_case": 1, "best_good_words": 50})
    assert found["threshold"] == 0.5
    assert found["model_sha256"] == hashlib.sha256((files / "model.skops").read_bytes()).hexdigest()
    assert set(found["attacks"]) == {"upper_case", "best_good_words"}
    assert found["clean"]["caught"]["rate"] == round(5 / 6, 6)
    rates = [values["caught"]["rate"] for values in found["attacks"].values()]
    assert found["worst"] == min(rates)
    assert found["worst_attack"] == "best_good_words"
    assert found["mean"] == pytest.approx(np.mean(rates), abs=1e-6)
    assert found["attacks"]["upper_case"]["example"].isupper()


def test_intervals_hold_the_rates_and_are_exact_where_nothing_varies(measure):
    found = measure({"lower_case": 1})
    for values in (found["clean"], *found["attacks"].values()):
        for rate in (values["caught"], values["blocked"]):
            assert rate["low"] <= rate["rate"] <= rate["high"]
    assert found["clean"]["blocked"] == {
        "rate": 0,
        "low": 0,
        "high": round(1 - 0.025 ** (1 / (2 * len(HAM))), 6),
    }


def test_an_attack_gives_the_same_rates_whichever_others_there_are(measure):
    alone = measure({"typos": 1})["attacks"]["typos"]
    assert measure({"zero_width": 0.5, "typos": 1})["attacks"]["typos"] == alone


def test_a_disguise_that_normalising_removes_changes_no_rate(measure):
    found = measure({"full_width": 1, "zero_width": 0.5})
    for values in found["attacks"].values():
        assert values["caught"] == found["clean"]["caught"]
        assert values["blocked"] == found["clean"]["blocked"]


def test_twice_gives_the_same_bytes(measure, files):
    path = files / "reports" / "robustness.json"
    contents = [(measure({"typos": 1, "emoji": 0.5}), path.read_bytes())[1] for _ in range(2)]
    assert contents[0] == contents[1]


def test_an_unknown_attack_is_refused_with_those_that_are_known(measure):
    message = r"robustness.attacks.magic: there is no such attack: choose from look_alikes, "
    with pytest.raises(ValueError, match=message):
        measure({"magic": 1})


@pytest.mark.parametrize("amount", [-1, float("inf"), float("nan")])
def test_an_amount_that_nothing_can_be_changed_by_is_refused(measure, amount):
    with pytest.raises(ValueError, match=r"params\.yaml: robustness\.attacks\.random_good_words: "):
        measure({"random_good_words": amount})


@pytest.mark.parametrize(
    "change",
    [{"schema.task": "multiclass"}, {"schema.number": ["price"]}],
)
def test_other_data_than_messages_of_two_labels_is_not_disguised(files, params_file, change):
    argv = [f"--params={params_file(change)}", f"--model={files / 'model.skops'}"]
    argv += [f"--{name}={files / name}.parquet" for name in ("train", "test")]
    robustness.main([*argv, f"--output={files / 'robustness.json'}"])
    found = json.loads((files / "robustness.json").read_text())
    assert found["applies"] is False
    assert found["model_sha256"] == hashlib.sha256((files / "model.skops").read_bytes()).hexdigest()


def test_a_table_with_other_labels_is_refused(measure, files):
    for name in ("train", "test"):
        df = pd.read_parquet(files / f"{name}.parquet")
        renamed = df["label"].cat.rename_categories(["no", "yes"])
        df.assign(label=renamed).to_parquet(files / f"{name}.parquet")
    with pytest.raises(ValueError, match=r"train\.parquet: column .label. has no, yes, which "):
        measure({"typos": 1})


def test_a_model_with_other_labels_is_refused(files, params_file):
    for name in ("train", "test"):
        df = pd.read_parquet(files / f"{name}.parquet")
        renamed = df["label"].cat.rename_categories(["no", "yes"])
        df.assign(label=renamed).to_parquet(files / f"{name}.parquet")
    params = params_file({"schema.labels": ["no", "yes"], "schema.positive": "yes"})
    argv = [f"--params={params}", f"--model={files / 'model.skops'}"]
    argv += [f"--{name}={files / name}.parquet" for name in ("train", "test")]
    with pytest.raises(ValueError, match=r"model\.skops"):
        robustness.main([*argv, f"--output={files / 'robustness.json'}"])
