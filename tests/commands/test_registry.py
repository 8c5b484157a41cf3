"""Tests of comparing a candidate with the model in a stage."""

import pytest

from commands.registry import Guard, compare_guarded, normalise_version


@pytest.mark.parametrize(
    ("direction", "candidate", "current", "is_refused"),
    [
        ("higher", 0.95, 0.95, False),
        ("higher", 0.94, 0.95, False),
        ("higher", 0.93, 0.95, True),
        ("higher", 0.99, 0.95, False),
        ("lower", 0.94, 0.95, False),
        ("lower", 0.96, 0.95, False),
        ("lower", 0.97, 0.95, True),
    ],
)
def test_only_what_is_worse_beyond_the_tolerance_is_refused(
    direction, candidate, current, is_refused
):
    guard = Guard(metric="x", direction=direction, tolerance=0.01)
    row = compare_guarded({"x": candidate}, {"x": current}, [guard]).loc[0]
    assert row["is_refused"] == is_refused


@pytest.mark.parametrize("version", ["1.2.3", "v1.2.3"])
def test_versions_start_with_a_v(version):
    assert normalise_version(version) == "v1.2.3"
