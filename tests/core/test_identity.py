"""Tests of checking that Git knows who commits."""

import os
import subprocess

import pytest

from commands import registry, sweep
from core.identity import find_missing_identity, require_identity

VARIABLES = {
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@example.org",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@example.org",
}
NAME = "git config --global user.name 'Your Name'"
EMAIL = "git config --global user.email you@example.org"
BOTH = f"Git does not know who commits, user.name and user.email are not set: {NAME} && {EMAIL}"


@pytest.fixture
def nobody(tmp_path, monkeypatch):
    """Make a repository the current folder, without an identity."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "--quiet"], check=True)


@pytest.mark.usefixtures("nobody")
@pytest.mark.parametrize(
    ("main", "argv"),
    [
        (registry.main, ["release", "v1.0.0"]),
        (registry.main, ["promote", "v1.0.0", "prod"]),
        (sweep.main, ["--metrics=metrics.json", "-S", "a=1"]),
    ],
)
def test_commands_that_commit_or_tag_check_the_identity_first(main, argv):
    with pytest.raises(ValueError, match=f"^{BOTH}$"):
        main(argv)


@pytest.mark.usefixtures("nobody")
def test_the_identity_can_come_from_the_configuration():
    subprocess.run(["git", "config", "user.email", "test@example.org"], check=True)
    with pytest.raises(ValueError, match=f"commits, user.name is not set: {NAME}$"):
        require_identity()
    subprocess.run(["git", "config", "user.name", "Test"], check=True)
    require_identity()


@pytest.mark.usefixtures("nobody")
def test_the_identity_needs_the_variables_of_author_and_committer(monkeypatch):
    for name, value in VARIABLES.items():
        assert find_missing_identity()
        monkeypatch.setenv(name, value)
    require_identity()


@pytest.mark.usefixtures("nobody")
def test_ignores_settings_that_dvc_does_not_read(monkeypatch):
    monkeypatch.setenv("EMAIL", "test@example.org")
    subprocess.run(["git", "config", "user.useConfigOnly", "false"], check=True)
    assert find_missing_identity() == ["user.name", "user.email"]
