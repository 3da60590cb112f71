"""Whatever a command raises is a sentence and an exit code, and nothing personal leaves."""

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cohorts.errors import CohortError
from trialsim.cli.answering.logs import ROOMS, start_logging
from trialsim.cli.app import app

RUNNER = CliRunner()
SECRET = "sub-SECRET, born 1950"


@pytest.fixture(autouse=True)
def _quiet_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    yield
    start_logging(verbose=False, file=None, as_json=False)


def raise_in_a_command(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr("trialsim.study.question.read_protocol", fail)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (CohortError("One.", "Two."), 1, "Error: One.\nError: Two.\n"),
        (CohortError("Of \u202eliam\x07."), 1, r"Error: Of \u202eliam\x07."),
        (KeyboardInterrupt(), 130, "Interrupted"),
        (OSError(28, "No space left on device", "a.csv"), 1, "a.csv cannot be used: No space left"),
        (PermissionError(13, "Permission denied", "b"), 1, "b cannot be used: Permission denied"),
        (MemoryError(), 1, "Memory does not suffice"),
        (RecursionError(), 1, "nested too deeply"),
        (ZeroDivisionError(SECRET), 1, "a fault of trialsim (ZeroDivisionError)"),
        (RuntimeError(SECRET), 1, "a fault of trialsim (RuntimeError)"),
    ],
)
def test_every_error_is_a_sentence(
    error: BaseException, code: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    raise_in_a_command(monkeypatch, error)
    result = RUNNER.invoke(app, ["run", "protocol.toml"])
    assert result.exit_code == code
    assert words in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("typed", [["--help"], ["rank", "--help"]])
@pytest.mark.parametrize(
    ("error", "code", "words"),
    [(KeyboardInterrupt(), 130, "Interrupted"), (OSError(28, "No space left"), 1, "No space left")],
)
def test_an_error_while_help_is_shown_is_a_sentence(
    typed: list[str], error: BaseException, code: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr("typer.rich_utils.rich_format_help", fail)
    result = RUNNER.invoke(app, typed)
    assert result.exit_code == code
    assert words in result.stderr


START = """\
import runpy, sys
class Interrupting:
    def find_spec(self, name, *_):
        if name == "{at}":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
sys.argv = ["trialsim", "doctor"]
{start}
"""


@pytest.mark.parametrize(
    ("start", "at"),
    [
        ("from trialsim.cli.start import main; main()", "typer"),
        ("from trialsim.cli.start import main_of_bids_app as main; main()", "argparse"),
        ("runpy.run_module('trialsim', run_name='__main__')", "trialsim.cli.doctor"),
    ],
)
def test_an_interrupt_while_the_program_is_loaded_is_a_word(start: str, at: str) -> None:
    code = START.format(start=start, at=at)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr == "Interrupted before anything was done.\n"


def test_next_to_nothing_is_imported_before_an_interrupt_is_a_word() -> None:
    code = "import sys; import trialsim.cli.start; print(*sys.modules)"
    # without `site`, which imports what else is installed
    words = [sys.executable, "-S", "-c", code]
    root = Path(__file__).parents[2]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=root)
    slow = {"typing", "re", "ast", "pathlib", "collections", "functools", "enum"}
    assert not slow & {*done.stdout.split()}


def test_a_crash_file_says_where_and_nothing_of_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = KeyError(SECRET)
    fault.__cause__ = ValueError(SECRET)
    raise_in_a_command(monkeypatch, fault)
    result = RUNNER.invoke(app, ["run", "protocol-of-sub-SECRET.toml"])
    (named,) = re.findall(r"\S+trialsim-crash-\S+\.txt", result.stderr)
    text = Path(named).read_text()
    assert Path(named).parent == tmp_path
    assert os.stat(named).st_mode & 0o077 == 0
    assert "builtins.KeyError" in text
    assert "builtins.ValueError" in text
    assert re.search(r"trialsim/cli/run.py:\d+ in run", text)
    assert "SECRET" not in text + result.stderr


def test_debug_shows_where_a_fault_arose(monkeypatch: pytest.MonkeyPatch) -> None:
    raise_in_a_command(monkeypatch, KeyError("x"))
    assert "Traceback" in RUNNER.invoke(app, ["--debug", "run", "protocol.toml"]).stderr


def test_without_a_place_for_the_crash_file_there_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raise_in_a_command(monkeypatch, KeyError("x"))
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    assert "no file could be written" in RUNNER.invoke(app, ["run", "protocol.toml"]).stderr


def test_mistakes_in_options_are_still_typer_s() -> None:
    result = RUNNER.invoke(app, ["run", "--no-such-option"])
    assert result.exit_code == 2
    assert "No such option" in result.stderr


def test_the_log_is_json_without_names(tmp_path: Path) -> None:
    from reports.store.study import Study

    log = tmp_path / "log.jsonl"
    start_logging(verbose=False, file=log, as_json=True)
    with Study.open(tmp_path / "s.duckdb").run(
        command=f"trialsim predict {SECRET}", config={"who": SECRET}
    ):
        pass
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["message"] for line in lines] == [
        "run r000001 begins",
        "run r000001 is finished, rows written: {}",
    ]
    assert set(lines[0]) == {"time", "level", "logger", "message"}
    assert "SECRET" not in log.read_text()


def test_nothing_is_logged_unless_asked() -> None:
    start_logging(verbose=True, file=None, as_json=False)
    assert RUNNER.invoke(app, ["study", "info", "none.duckdb"]).exit_code == 1
    assert all(not logging.getLogger(room).handlers for room in ROOMS)


def test_others_may_not_read_what_a_command_writes(tmp_path: Path) -> None:
    code = "import os; os.umask(0o022); from trialsim.cli.app import main; main()"
    words = ["cohort", "synthesize", str(tmp_path / "people"), "-n", "20"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    written = list((tmp_path / "people").rglob("*"))
    assert len(written) > 3
    assert [path.name for path in written if path.stat().st_mode & 0o007] == []


def test_a_closed_pipe_is_no_fault(tmp_path: Path) -> None:
    code = "from trialsim.cli.app import main; main()"
    words = (
        f"{sys.executable} -c '{code}' samplesize means --delta 1 --sd 2 --power 0.8 --json | true"
    )
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True, check=False)
    assert "fault" not in done.stderr
    assert "Traceback" not in done.stderr
