"""Tests of naming versions, and of comparing releases of one task."""

import pytest

from commands import registry
from commands.registry import check_comparable, normalise_version
from tests.support.schemas import make_schema


@pytest.mark.parametrize("version", ["1.2.3", "v1.2.3"])
def test_versions_start_with_a_v(version):
    assert normalise_version(version) == "v1.2.3"


@pytest.mark.parametrize(
    ("released", "message"),
    [
        ("schema: {task: binary, positive: spam}", ""),
        ("preprocessing: {labels: {positive: spam}}", ""),
        ("schema: {task: binary, positive: ham}", "its schema.positive is ham, not spam"),
        ("schema: {task: multiclass, positive: null}", "its schema.task is multiclass, not binary"),
    ],
)
def test_releases_of_another_task_or_positive_label_are_not_compared(
    released, message, monkeypatch
):
    monkeypatch.setattr(registry, "run", lambda *_: released)
    schema = make_schema(task="binary", labels=["ham", "spam"], positive="spam")
    if not message:
        check_comparable("sms-spam@v1.0.0", schema)
        return
    with pytest.raises(ValueError, match=message):
        check_comparable("sms-spam@v1.0.0", schema)
