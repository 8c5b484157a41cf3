"""Tests of the examples' parameters; 'make example' runs them."""

from pathlib import Path

import pytest
import yaml

from core.params import Yaml12Loader
from tests.support.sections import check_params

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted(ROOT.glob("examples/*/params.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_an_example_has_valid_parameters_and_no_fewer_than_the_pipeline(path):
    params = check_params(path)
    committed = yaml.load((ROOT / "params.yaml").read_text(), Loader=Yaml12Loader)
    assert {section: set(values) for section, values in params.items()} == {
        section: set(values) for section, values in committed.items()
    }
    assert params["data_ingestion"]["sha256"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_an_example_names_its_licence_and_citation(path):
    text = path.read_text()
    is_generated = "synthetic://" in text
    assert is_generated or ("# Licence: " in text and "# Citation: " in text)
