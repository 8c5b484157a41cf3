"""Tests of comparing configurations."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from commands import study
from commands.study import CHOSEN, CONFIGURATIONS, change_params, summarise


@pytest.fixture
def train(corpus, tmp_path):
    """Write a training table of made-up messages."""
    rows = sorted({tuple(line.split("\t")) for line in corpus.splitlines()})
    df = pd.DataFrame(rows, columns=["label", "text"]).astype({"text": "str"})
    df["label"] = pd.Categorical(df["label"], categories=["ham", "spam"])
    path = tmp_path / "train.parquet"
    df.assign(group=np.arange(len(df))).to_parquet(path)
    return path


def test_writes_table_and_plot_of_every_configuration(train, params_file, tmp_path, monkeypatch):
    few = {name: CONFIGURATIONS[name] for name in (CHOSEN, "words only", "linear SVM", "hashing")}
    monkeypatch.setattr(study, "CONFIGURATIONS", few)
    output = tmp_path / "reports" / "study"
    argv = [f"--params={params_file()}", f"--train={train}", f"--output={output}", "--repeats=1"]
    study.main(argv)
    table = output.with_suffix(".md").read_text()
    assert all(f"| {name} " in table for name in few)
    scores = pd.read_csv(output.with_suffix(".csv"))["matthews_corrcoef"]
    assert scores.is_monotonic_decreasing
    assert scores.iloc[0] > 0.9
    with Image.open(output.with_suffix(".png")) as image:
        assert len(image.convert("L").getcolors()) > 10


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_every_configuration_is_valid(name, params_file):
    sections = study.read_sections(params_file())
    changed = change_params(sections, CONFIGURATIONS[name])
    assert (changed == sections) == (name == CHOSEN)
    model = study.check_section(changed, "model_building", study.ModelParams, params_file())
    schema = study.check_section(changed, "schema", study.Schema, params_file())
    study.build_estimator(model, schema)
    features = study.check_section(
        changed, "feature_engineering", study.FeatureParams, params_file()
    )
    schema = study.check_section(changed, "schema", study.Schema, params_file())
    study.build_columns(schema, features)


def test_the_parameters_themselves_stay_as_they_are():
    sections = {"a": {"b": {"c": 1}}}
    assert change_params(sections, {"a.b.c": 2}) == {"a": {"b": {"c": 2}}}
    assert sections == {"a": {"b": {"c": 1}}}


def test_differences_are_taken_fold_by_fold():
    scores = {"good": [0.9, 0.5], "bad": [0.8, 0.4]}
    measured = {
        name: pd.DataFrame({"matthews_corrcoef": s, "f1": s, "average_precision": s, "seconds": s})
        for name, s in scores.items()
    }
    summary = summarise(measured)
    assert summary["configuration"].tolist() == ["good", "bad"]
    np.testing.assert_allclose(summary["behind"], [0, 0.1])
    np.testing.assert_allclose(summary["error"], 0, atol=1e-12)
