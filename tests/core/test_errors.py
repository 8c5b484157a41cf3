"""Tests of the error that a user can fix."""

import errno
import pickle
import zlib

import pytest

from core.errors import UserError, exit_on_user_error, is_for_user


def test_has_a_message_and_a_fix_each_on_one_line():
    error = UserError("a.csv has\nno rows", "fetch it\nagain")
    assert (error.message, error.fix) == ("a.csv has no rows", "fetch it again")
    assert str(error) == "a.csv has no rows: fetch it again"


def test_the_fix_is_optional():
    assert str(UserError("a.csv has no rows")) == "a.csv has no rows"


def test_message_and_fix_survive_pickling():
    error = pickle.loads(pickle.dumps(UserError("a.csv has no rows", "fetch it again")))  # noqa: S301
    assert (error.message, error.fix) == ("a.csv has no rows", "fetch it again")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (UserError("no rows"), True),
        (FileNotFoundError(errno.ENOENT, "no such file", "a.csv"), True),
        (PermissionError(errno.EACCES, "denied", "a.csv"), True),
        (OSError(errno.ENOSPC, "disk full"), True),
        (OSError("a library's own"), False),
        (ConnectionResetError(errno.ECONNRESET, "reset"), False),
        (ValueError("x is not y"), False),
        (zlib.error("bad data"), False),
    ],
)
def test_knows_which_errors_the_user_can_fix(error, expected):
    assert is_for_user(error) is expected


def test_an_error_that_the_user_can_fix_ends_a_program_in_one_line():
    with pytest.raises(SystemExit) as caught, exit_on_user_error("program"):
        raise UserError("no rows", "add some")
    assert caught.value.code == "program: no rows: add some"


def test_any_other_error_keeps_its_traceback():
    with pytest.raises(ValueError, match="ours"), exit_on_user_error("program"):
        raise ValueError("ours")
