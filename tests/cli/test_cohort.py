"""`trialsim cohort`: what a user types, what comes out."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from trialsim.cli.app import app

runner = CliRunner()


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    rows = [
        f"p{i},ses-{visit},{60 + i + visit},{'FM'[i % 2]},{('CN', 'MCI', 'AD')[i % 3]},"
        f"{29 - i},{3500 - 50 * visit},{3600 - 50 * visit}"
        for i in range(6)
        for visit in (1, 2)
    ]
    header = "participant_id,session,AGE,sex,diagnosis,mmse,left_hippocampus,right_hippocampus"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_validate_says_that_data_are_sound(people: Path) -> None:
    done = runner.invoke(app, ["cohort", "validate", str(people)])
    assert done.exit_code == 0, done.output
    assert "people: sound. 6 people, 12 visits, 36 volumes" in done.stdout


def test_the_reading_is_json_where_json_is_asked_for(people: Path) -> None:
    typed = ["cohort", "validate", str(people), "--show-reading", "--json"]
    read = json.loads(runner.invoke(app, typed).stdout)
    assert {"column", "read_as"} <= read[0].keys()


def test_validate_tells_every_problem_and_exits_with_1(people: Path) -> None:
    people.write_text(people.read_text().replace("p1,ses-1,62,M", "p1,ses-1,62,X"))
    people.write_text(people.read_text().replace("p2,ses-2,64", "p2,ses-2,-4"))
    done = runner.invoke(app, ["cohort", "validate", str(people)])
    assert done.exit_code == 1
    assert "row 4, column sex: got 'X'" in done.stderr
    assert "row 7, column AGE: got -4" in done.stderr
    assert "Traceback" not in done.output


def test_import_screens_writes_the_folder_and_the_study(people: Path, tmp_path: Path) -> None:
    study = tmp_path / "study.duckdb"
    done = runner.invoke(
        app,
        [
            *("cohort", "import", str(people), str(tmp_path / "out"), "--study", str(study)),
            *("--eligibility", "mmse between 25 and 28", "--eligibility", "diagnosis in MCI, AD"),
        ],
    )
    assert done.exit_code == 0, done.output
    assert "3 people" in done.stdout
    assert (tmp_path / "out" / "screening_flow.parquet").is_file()
    described = runner.invoke(app, ["cohort", "describe", "--study", str(study)])
    assert described.exit_code == 0, described.output
    assert "Hippocampus" in described.stdout


def test_import_then_describe_agree_in_json(people: Path, tmp_path: Path) -> None:
    folder, study = tmp_path / "out", tmp_path / "s.duckdb"
    arguments = ["cohort", "import", str(people), str(folder), "--study", str(study), "--json"]
    summary = json.loads(runner.invoke(app, arguments).stdout)
    rows = json.loads(runner.invoke(app, ["cohort", "describe", str(folder), "--json"]).stdout)
    women = [row for row in rows if row["characteristic"] == "Women" and row["group"] == "all"]
    assert (summary[0]["n_participants"], women[0]["n"], women[0]["percent"]) == (6, 3, 50.0)


def test_describe_draws_the_figure(people: Path, tmp_path: Path) -> None:
    figure = tmp_path / "cohort.png"
    done = runner.invoke(app, ["cohort", "describe", str(people), "--figure", str(figure)])
    assert done.exit_code == 0, done.output
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_quarantine_lists_who_was_left_out(people: Path) -> None:
    people.write_text(people.read_text().replace("p1,ses-1,62,M", "p1,ses-1,620,M"))
    done = runner.invoke(app, ["cohort", "validate", str(people), "--quarantine"])
    assert done.exit_code == 0, done.output
    assert "5 people" in done.stdout
    assert "Left out: people.csv, row 4, column AGE: got 620" in done.stderr


@pytest.mark.parametrize("pair", ["AGE", "=age_years", "AGE="])
def test_map_of_another_form_is_refused(pair: str, people: Path) -> None:
    done = runner.invoke(app, ["cohort", "validate", str(people), "--map", pair])
    assert done.exit_code == 1
    assert f"--map must read COLUMN=standard_name, got '{pair}'" in done.stderr
