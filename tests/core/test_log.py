"""Tests of logging and of handling a stage's exceptions."""

import logging
import os
import re
import subprocess
import sys
import warnings
from logging.handlers import RotatingFileHandler
from pathlib import Path

import pytest

from core import log
from core.errors import UserError
from core.log import configure_logging, run_stage, timed

SOURCE = Path(log.__file__).parents[1]


@pytest.fixture(autouse=True)
def _restore_logging():
    """Undo the changes that configuring makes to the whole process."""
    root = logging.getLogger()
    level = root.level
    yield
    logging.captureWarnings(False)
    root.setLevel(level)
    for handler in root.handlers[:]:
        if type(handler) in (logging.StreamHandler, RotatingFileHandler):
            root.removeHandler(handler)
            handler.close()


@pytest.fixture
def log_file(tmp_path, monkeypatch):
    """Send the log of ``run_stage`` to a file of this test, and return its path."""
    path = tmp_path / "logs" / "pipeline.log"

    def configure(stage: str, _: Path | None = None) -> None:
        configure_logging(stage, path)

    monkeypatch.setattr(log, "configure_logging", configure)
    monkeypatch.setattr(sys, "argv", ["src/stage.py", "--input", "a"])
    monkeypatch.delenv("LOG_LEVEL", raising=False)
    return path


def fail_with(error):
    def main():
        raise error

    return main


def run_script_without_file(folder, body):
    """Run a script that logs only to the console."""
    script = folder / "stage.py"
    script.write_text(
        f"import core.log as log\ndef main():\n    {body}\nlog.run_stage(main, log_file=None)\n"
    )
    return subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
    )


def run_script(folder, body, **environment):
    """Run a stage whose ``main`` has this body in a separate process."""
    script = folder / "stage.py"
    script.write_text(
        "import pathlib, sys, core.log as log\n"
        f"path = pathlib.Path({str(folder / 'pipeline.log')!r})\n"
        "configure = log.configure_logging\n"
        "log.configure_logging = lambda stage, _: configure(stage, path)\n"
        f"def main():\n    {body}\n"
        "log.run_stage(main)\n"
    )
    return subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(SOURCE), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_logs_to_console_and_file_with_the_name_of_the_stage(log_file, capsys):
    log.configure_logging("split")
    logging.getLogger("module").info("%d rows", 3)
    assert capsys.readouterr().err.endswith(" split INFO 3 rows\n")
    assert log_file.read_text().endswith(" split INFO 3 rows\n")


@pytest.mark.parametrize(
    ("level", "expected"), [("DEBUG", ["fine", "coarse"]), ("info", ["coarse"]), ("ERROR", [])]
)
@pytest.mark.usefixtures("log_file")
def test_level_comes_from_the_environment(capsys, monkeypatch, level, expected):
    monkeypatch.setenv("LOG_LEVEL", level)
    log.configure_logging("split")
    logging.debug("fine")
    logging.info("coarse")
    assert [line.split()[-1] for line in capsys.readouterr().err.splitlines()] == expected


@pytest.mark.parametrize("level", ["LOUD", "", "10"])
@pytest.mark.usefixtures("log_file")
def test_refuses_an_unknown_level(monkeypatch, level):
    monkeypatch.setenv("LOG_LEVEL", level)
    with pytest.raises(ValueError, match=f"LOG_LEVEL is '{level}': set it to one of .*INFO"):
        log.configure_logging("split")


@pytest.mark.usefixtures("log_file")
def test_keeps_libraries_quiet_while_debugging(monkeypatch):
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    log.configure_logging("split")
    assert not logging.getLogger("botocore").isEnabledFor(logging.DEBUG)


def test_sends_warnings_of_libraries_to_the_log(log_file, capsys):
    log.configure_logging("split")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old parameter", FutureWarning, stacklevel=1)
    assert "WARNING" in log_file.read_text()
    assert "FutureWarning: old parameter" in log_file.read_text()
    assert "FutureWarning: old parameter" in capsys.readouterr().err


def test_rotates_the_file_and_keeps_three_old_ones(log_file, monkeypatch):
    monkeypatch.setattr(log, "MAX_BYTES", 200)
    log.configure_logging("split")
    for number in range(40):
        logging.info("line %d", number)
    files = sorted(log_file.parent.iterdir())
    assert [path.name for path in files] == [
        "pipeline.log",
        *(f"pipeline.log.{k}" for k in (1, 2, 3)),
    ]
    assert all(path.stat().st_size <= 200 for path in files)
    assert log_file.read_text().endswith("line 39\n")


def test_appends_to_the_file_of_earlier_runs(log_file):
    for stage in ("split", "fit"):
        log.configure_logging(stage)
        logging.info("hello")
    assert [line.split()[-3] for line in log_file.read_text().splitlines()] == ["split", "fit"]


@pytest.mark.usefixtures("log_file")
def test_logs_that_a_stage_is_done(capsys):
    run_stage(lambda: logging.info("working"))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[1:4] for line in lines] == [
        ["stage", "INFO", "working"],
        ["stage", "INFO", "done"],
    ]


@pytest.mark.parametrize("error", [UserError("bad row"), FileNotFoundError(2, "bad", "row")])
@pytest.mark.usefixtures("log_file")
def test_an_expected_error_is_one_line_and_status_1(capsys, error):
    with pytest.raises(SystemExit) as exit_:
        run_stage(fail_with(error))
    assert exit_.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith((" stage ERROR bad row", " stage ERROR [Errno 2] bad: 'row'"))


@pytest.mark.usefixtures("log_file")
def test_an_error_of_several_lines_is_one_line_too(capsys):
    with pytest.raises(SystemExit):
        run_stage(fail_with(FileNotFoundError(2, "bad\nrow", "a.csv")))
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_file_has_the_traceback_of_an_expected_error(log_file):
    with pytest.raises(SystemExit):
        run_stage(fail_with(UserError("bad row")))
    assert "Traceback" in log_file.read_text()
    assert log_file.read_text().endswith("UserError: bad row\n")


@pytest.mark.usefixtures("log_file")
def test_the_console_has_the_traceback_too_while_debugging(capsys, monkeypatch):
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    with pytest.raises(SystemExit):
        run_stage(fail_with(UserError("bad row")))
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error", [RuntimeError("our bug"), ValueError("our bug"), OSError("our bug")]
)
def test_an_unexpected_error_is_logged_and_raised(log_file, error):
    with pytest.raises(type(error), match="our bug"):
        run_stage(fail_with(error))
    assert "CRITICAL unexpected error\nTraceback" in log_file.read_text()


@pytest.mark.usefixtures("log_file")
def test_does_not_change_an_exit_of_the_argument_parser(capsys):
    with pytest.raises(SystemExit) as exit_:
        run_stage(lambda: sys.exit(2))
    assert exit_.value.code == 2
    assert capsys.readouterr().err == ""


def test_an_expected_error_ends_the_process_with_status_1(tmp_path):
    run = run_script(tmp_path, "raise OSError(28, 'no disk')")
    assert run.returncode == 1
    assert run.stdout == ""
    (line,) = run.stderr.splitlines()
    assert line.endswith(" stage ERROR [Errno 28] no disk")


def test_an_unexpected_error_keeps_its_traceback_on_the_console(tmp_path):
    run = run_script(tmp_path, "{}['key']")
    assert run.returncode == 1
    assert run.stderr.count("Traceback") == 1
    assert run.stderr.endswith("KeyError: 'key'\n")


def test_an_unknown_level_is_one_line_and_status_1(tmp_path):
    run = run_script(tmp_path, "pass", LOG_LEVEL="LOUD")
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    assert "LOG_LEVEL is 'LOUD': set it to one of" in line


def test_times_a_step(caplog):
    with caplog.at_level("INFO"), timed(logging.getLogger("module"), "read %d rows", 3):
        pass
    (message,) = caplog.messages
    assert re.fullmatch(r"read 3 rows in 0\.\d\d s", message)


def test_a_step_that_fails_logs_nothing(caplog):
    with (
        caplog.at_level("INFO"),
        pytest.raises(RuntimeError),
        timed(logging.getLogger("module"), "read"),
    ):
        raise RuntimeError
    assert caplog.messages == []


def test_without_a_file_the_console_gets_the_traceback_of_a_bug(tmp_path):
    body = "raise KeyError('ours')"
    script = run_script_without_file(tmp_path, body)
    assert script.returncode == 1
    assert "CRITICAL unexpected error" in script.stderr
    assert script.stderr.count("Traceback") == 1


def test_without_a_file_an_error_for_the_user_is_one_line(tmp_path):
    script = run_script_without_file(tmp_path, "raise OSError(28, 'no disk')")
    assert script.returncode == 1
    assert script.stderr.endswith("stage ERROR [Errno 28] no disk\n")
    assert len(script.stderr.splitlines()) == 1
