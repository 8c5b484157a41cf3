"""Tests of the workflow that GitHub runs."""

import re
from pathlib import Path

import yaml

TEXT = (Path(__file__).parents[1] / ".github" / "workflows" / "ci.yml").read_text()
WORKFLOW = yaml.safe_load(TEXT)


def test_actions_are_pinned_to_commits():
    actions = re.findall(r"uses: (\S+)", TEXT)
    assert actions
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", action) for action in actions)


def test_only_the_comment_may_write():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert "permissions" not in WORKFLOW["jobs"]["check"]
    rights = WORKFLOW["jobs"]["report"]["permissions"]
    assert rights == {"contents": "read", "pull-requests": "write"}


def test_nothing_of_a_pull_request_is_put_into_a_script():
    scripts = [
        step["run"] for job in WORKFLOW["jobs"].values() for step in job["steps"] if "run" in step
    ]
    assert not any("${{" in script for script in scripts)
    assert ".ci/run" in scripts
