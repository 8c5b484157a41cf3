"""Tests of reading a section of params.yaml."""

import math

import pytest
from dvc.utils.serialize import dumps_yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError, model_validator

from core.errors import UserError
from core.params import Params, read_params


class Limits(Params):
    low: int
    high: int

    @model_validator(mode="after")
    def low_is_below_high(self):
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


class Shop(Params):
    count: int
    rate: float
    limits: Limits


class Anything(Params):
    value: object


SHOP = "shop:\n  count: 3\n  rate: 0.5\n  limits: {low: 1, high: 2}\n"


@pytest.fixture
def read(tmp_path):
    """Return a function that reads the section ``shop`` of a text."""

    def read_text(text, model=Shop):
        (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
        return read_params(tmp_path / "params.yaml", "shop", model)

    return read_text


@pytest.fixture(scope="module")
def scalar_file(tmp_path_factory):
    return tmp_path_factory.mktemp("params") / "params.yaml"


def read_scalar(path, text):
    path.write_text(text, encoding="utf-8")
    return read_params(path, "shop", Anything).value


def test_returns_typed_values(read):
    params = read(SHOP)
    assert params == Shop(count=3, rate=0.5, limits=Limits(low=1, high=2))


def test_ignores_other_sections(read):
    assert read(SHOP + "office: {desks: many}\n").count == 3


def test_values_are_immutable(read):
    with pytest.raises(ValidationError, match="frozen"):
        read(SHOP).count = 4


def test_names_an_unknown_key_and_the_file(read):
    with pytest.raises(ValueError, match=r"params\.yaml: shop\.colour is not a parameter"):
        read(SHOP + "  colour: red\n")


def test_names_a_missing_key_and_the_file(read):
    with pytest.raises(ValueError, match=r"params\.yaml: shop\.count is missing: add it"):
        read(SHOP.replace("count: 3", ""))


def test_names_the_key_and_value_of_a_wrong_type(read):
    with pytest.raises(ValueError, match=r"params\.yaml: shop\.count: .*integer.*, got 'three'"):
        read(SHOP.replace("count: 3", "count: three"))


def test_names_a_key_inside_a_subsection(read):
    with pytest.raises(ValueError, match=r"shop\.limits\.low: .*, got None"):
        read(SHOP.replace("low: 1", "low: null"))


def test_names_every_wrong_key_at_once(read):
    with pytest.raises(ValueError, match=r"shop\.count: .*; shop\.rate: .*; shop\.colour "):
        read(SHOP.replace("3", "three").replace("0.5", "half") + "  colour: red\n")


def test_gives_the_reason_of_a_validator(read):
    with pytest.raises(ValueError, match=r"shop\.limits: low is above high, got "):
        read(SHOP.replace("low: 1", "low: 9"))


@pytest.mark.parametrize("text", ["", "office: {}", "shop:", "shop: 3", "shop: [1]", "- shop", "3"])
def test_names_a_missing_section(read, text):
    with pytest.raises(ValueError, match=r"params\.yaml has no section 'shop': add it"):
        read(text)


@pytest.mark.parametrize(
    "text", ["shop: {count: 3", "shop:\n\t- 3", "a: b: c", "shop: \0", "? [a]: b"]
)
def test_says_in_one_line_that_a_file_is_not_yaml(read, text):
    with pytest.raises(ValueError, match=r"^[^\n]*params\.yaml is not valid YAML: [^\n]+$"):
        read(text)


def test_names_a_file_that_is_not_in_utf_8(tmp_path):
    (tmp_path / "params.yaml").write_bytes(b"shop: {name: caf\xe9}")
    with pytest.raises(ValueError, match=r"params\.yaml"):
        read_params(tmp_path / "params.yaml", "shop", Shop)


def test_names_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"params\.yaml"):
        read_params(tmp_path / "params.yaml", "shop", Shop)


def test_creates_no_python_objects_from_a_file(read, tmp_path):
    target = tmp_path / "created"
    with pytest.raises(ValueError, match="not valid YAML"):
        read(f"shop: !!python/object/apply:os.mkdir ['{target}']")
    assert not target.exists()


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("1e-05", 1e-05),
        ("1E5", 1e5),
        (".5", 0.5),
        ("1.", 1.0),
        ("-.inf", -math.inf),
        ("010", 10),
        ("+7", 7),
        ("-7", -7),
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("FALSE", False),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("1_000", "1_000"),
        ("12:30:00", "12:30:00"),
        ("2020-01-01", "2020-01-01"),
        ("'10'", "10"),
        ("1e", "1e"),
    ],
)
def test_reads_a_scalar_as_yaml_1_2_does(scalar_file, scalar, value):
    found = read_scalar(scalar_file, f"shop:\n  value: {scalar}\n")
    assert (found, type(found)) == (value, type(value))


def test_reads_nan(scalar_file):
    assert math.isnan(read_scalar(scalar_file, "shop: {value: .nan}"))


@settings(deadline=None)
@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_reads_a_float_as_python_writes_it(scalar_file, number):
    assert read_scalar(scalar_file, f"shop: {{value: {number!r}}}") == number


@settings(deadline=None)
@given(
    value=st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text("nouyesltrfaN0123456789+-.eExX_~:=<'\"#[]{},&*!|>%@ ", max_size=6)
)
def test_reads_a_scalar_as_dvc_writes_it(scalar_file, value):
    found = read_scalar(scalar_file, dumps_yaml({"shop": {"value": value}}))
    assert (found, type(found)) == (value, type(value))


def test_an_error_of_several_keys_does_not_show_the_whole_section(tmp_path):
    class Range(Params):
        low: int
        high: int

        @model_validator(mode="after")
        def is_not_empty(self):
            raise ValueError("low is above high")

    (tmp_path / "params.yaml").write_text("range: {low: 3, high: 2}")
    with pytest.raises(UserError, match=r"params\.yaml: range: low is above high$"):
        read_params(tmp_path / "params.yaml", "range", Range)
