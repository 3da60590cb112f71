"""Use every command of an installation without extras; run by `.ci/package`."""

import shlex
from collections.abc import Iterator

import typer.main
from typer.testing import CliRunner

from trialsim.cli.app import app

RUNNER = CliRunner()
WORKING = """\
--version
init mystudy
cohort synthesize archive --participants 120 --label archive --seed 1
cohort synthesize screened --participants 120 --label screened --seed 2
cohort validate screened
cohort describe screened
cohort import screened imported
rank --strategies random,regression --train-on archive
compare --strategies random,regression
power --visits-months 0,12,24 --slowing 0.3 --n-simulations 100 --n-bootstrap 0
optimize --visits-months 0,12,24 --n-simulations 100 --n-bootstrap 0
report study.duckdb --out report.html
report study.duckdb --out report.md
report study.duckdb --out report.rtf
report study.duckdb --out report.json
study info
study runs
study tables sample_sizes
study sql "SELECT count(*) FROM scores"
study export --format csv --out tables
study verify
samplesize means --delta 1.5 --sd 4 --power 0.8
doctor
qualify --out qualification.html
"""
NEEDING = {
    "report study.duckdb --out report.pdf": "documents",
    "report study.duckdb --out report.docx": "documents",
    "predict screened": "imaging",
    "model verify mini": "imaging",
    "evaluate screened": "imaging",
    "demo demo": "imaging",
    "train all": "imaging",
    "model evaluation-people --label-maps . --out people": "imaging",
    "model demonstration-archive archive": "imaging",
}


def list_commands(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from list_commands(inner, (*path, name))


def main() -> None:
    """Run everything; the first thing that is wrong ends it."""
    commands = list(list_commands(typer.main.get_command(app)))
    for path in commands:
        assert RUNNER.invoke(app, [*path, "--help"]).exit_code == 0, path
    for line in WORKING.splitlines():
        done = RUNNER.invoke(app, shlex.split(line))
        assert done.exit_code == 0, f"{line}\n{done.output}\n{done.exception!r}"
    for line, extra in NEEDING.items():
        done = RUNNER.invoke(app, shlex.split(line))
        assert done.exit_code == 1, f"{line}\n{done.output}\n{done.exception!r}"
        assert f"trialsim[{extra}]" in done.stderr, done.stderr
    n_calls = len(commands) + len(WORKING.splitlines()) + len(NEEDING)
    print(f"{n_calls} passed, 0 failed")


if __name__ == "__main__":
    main()
