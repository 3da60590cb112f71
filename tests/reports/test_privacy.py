"""Nobody is identified: no id, site, path or scan of a person in any format of a report."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import docx
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from pypdf import PdfReader
from typer.testing import CliRunner

from reports.page.compose import compose_page
from reports.page.content import Page
from reports.page.file_formats import ReportFormat
from reports.page.gather import gather_study
from reports.page.masking import Mask, mask_table
from reports.page.privacy import Privacy
from reports.page.writing import render_page, write_report
from reports.store.study import Study
from trialsim.cli.app import app

Tables = dict[str, pd.DataFrame]
MOMENT = datetime(2026, 1, 2, tzinfo=UTC)
SECRET = "qzxhidden"
"""In every id, site, visit and path of the study, and nowhere else."""


@pytest.fixture(scope="module")
def secret_study(study_tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp(SECRET) / f"{SECRET} archive"
    folder.mkdir()
    tables = {name: rename_people(frame) for name, frame in study_tables.items()}
    tables["predictor_performance"] = pd.concat(
        [
            tables["predictor_performance"],
            tables["predictor_performance"].head(1).assign(subgroup=f"site {SECRET} Site A"),
        ]
    )
    differences = tables["group_differences"]
    tables["group_differences"] = pd.concat(
        [
            differences,
            differences[differences["covariate"] == "mmse"].assign(
                covariate=f"site {SECRET} Site B"
            ),
        ]
    )
    tables["scan_checks"]["reasons"] = f"sub-{SECRET}3_T1w.nii.gz of {folder}/a.nii is too thin"
    tables["screening_flow"]["criterion"] += f" (site is not {SECRET} Site C)"
    tables |= predict_scans(tables["participants"]["participant_id"].iloc[:3], folder)
    scan, weights = folder / f"sub-{SECRET}1_T1w.nii.gz", folder / "weights.bin"
    scan.write_bytes(b"scan")
    weights.write_bytes(b"weights")
    config = {
        "title": "Study",
        "cohort": {"path": str(folder), "map": f"tables/{SECRET}/people.csv"},
        "eligibility": [f"site in ['{SECRET} Site A']"],
        "people": [f"sub-{SECRET}00001"],
        "notes": [f"sub-{SECRET}00002 ses-{SECRET}20260106 was left out", f"{scan} is new"],
        "changes": [f"{scan.name} has changed"],
    }
    study = Study.open(folder / "study.duckdb")
    command = f"trialsim run '{folder}/p.toml' --out ../{SECRET}/x.html C:\\{SECRET}\\p.toml"
    with study.run(command=command, config=config, inputs=[scan], weights=[weights]) as run:
        for name, frame in tables.items():
            run.write(name, frame)
    return study


def rename_people(frame: pd.DataFrame) -> pd.DataFrame:
    renamed = {
        "participant_id": lambda v: v.replace("sub-", f"sub-{SECRET}"),
        "session_id": lambda v: v.replace("ses-", f"ses-{SECRET}202601"),
        "site": lambda v: f"{SECRET} {v}",
    }
    return frame.assign(**{c: frame[c].map(new) for c, new in renamed.items() if c in frame})


def predict_scans(people: pd.Series, folder: Path) -> Tables:
    rng = np.random.default_rng(1)
    rows = []
    for person in people:
        for kind in ("reconstructed", "predicted"):
            path = folder / f"{person}_{kind}.nii.gz"
            image = rng.uniform(0.2, 1, (12, 14, 12)).astype(np.float32)
            nib.Nifti1Image(image, np.diag([12.0, 12.0, 12.0, 1.0])).to_filename(path)
            rows.append((person, "tiny", 24.0, kind, str(path)))
    columns = ["participant_id", "model_id", "horizon_months", "kind", "path"]
    predictions = pd.DataFrame({"participant_id": people, "model_id": "tiny"}).assign(
        horizon_months=24.0,
        region="hippocampus",
        volume_mm3=[5900.0, 5700.0, 5800.0],
        volume_sd_mm3=30.0,
        n_samples=2,
        baseline_volume_mm3=6000.0,
    )
    return {"predictions": predictions, "prediction_images": pd.DataFrame(rows, columns=columns)}


@pytest.fixture(scope="module")
def secret_page(secret_study: Study) -> Page:
    return compose_page(gather_study(secret_study), moment=MOMENT)


def read_text(content: bytes, report_format: ReportFormat) -> str:
    match report_format:
        case ReportFormat.PDF:
            return "\n".join(page.extract_text() for page in PdfReader(BytesIO(content)).pages)
        case ReportFormat.WORD:
            document = docx.Document(BytesIO(content))
            cells = [cell for table in document.tables for cell in table._cells]
            return "\n".join(part.text for part in [*document.paragraphs, *cells])
    return content.decode()


def shorten(page: Page, report_format: ReportFormat) -> Page:
    """Leave out the long tables where setting them takes seconds: other formats hold them."""
    if report_format not in (ReportFormat.PDF, ReportFormat.WORD):
        return page
    return replace(page, sections=tuple(s for s in page.sections if s.title != "All rows"))


@pytest.mark.parametrize("report_format", ReportFormat)
def test_no_format_identifies_anybody(
    report_format: ReportFormat, secret_page: Page, request: pytest.FixtureRequest
) -> None:
    # what figures say can be read in HTML; in print their letters are outlines
    if report_format is not ReportFormat.HTML:
        request.getfixturevalue("_undrawn")
    content = render_page(shorten(secret_page, report_format), report_format, figures="figures")
    text = read_text(content, report_format)
    # what a renderer leaves out cannot identify anybody, and would prove nothing
    assert "site 1" in " ".join(text.split()).lower()
    assert SECRET not in text.lower()


def test_no_data_of_a_figure_identifies_anybody(secret_page: Page) -> None:
    tables = {
        name: frame for picture in secret_page.pictures for name, frame in picture.data.items()
    }
    assert len(tables) > 8
    assert [name for name, frame in tables.items() if SECRET in frame.to_csv()] == []


@pytest.mark.usefixtures("_undrawn", "_unplotted")
def test_ids_come_back_where_they_are_asked_for(secret_study: Study, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(secret_study, path, privacy=Privacy(identify=True), n_listed=3)
    html = path.read_text(encoding="utf-8")
    for secret in (f"sub-{SECRET}00003", f"sub-{SECRET}1_T1w.nii.gz", f"{SECRET} Site B"):
        assert secret.lower() in html.lower()


def test_listing_people_without_identifying_them_is_refused(
    secret_study: Study, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    arguments = ["report", str(secret_study.path), "--out", str(path), "--list-people", "3"]
    done = CliRunner().invoke(app, arguments)
    assert (done.exit_code, path.exists()) == (1, False)
    assert "add --identify" in done.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("open /home/jane/a.csv, then", "open <path>.csv, then"),
        ("--out=~jane/report.html", "--out=<path>.html"),
        ("see https://doi.org/10.1/x and mm3/year", "see https://doi.org/10.1/x and mm3/year"),
        (r"C:\data\people.csv", "<path>.csv"),
        (r"\\server\share\x", "<path>"),
        ("tables/people.csv", "<path>.csv"),
        ("trialsim cohort import people.csv", "trialsim cohort import people.csv"),
        ("011_S_0002_m12", "a person_m12"),
        ("mean of 12", "mean of 12"),
        ("participant 12", "participant <id>"),
        ("x_sub-9_T1w.nii.gz", "<scan>"),
    ],
)
def test_mask_takes_names_and_places_and_nothing_else(text: str, expected: str) -> None:
    assert Mask({"011_S_0002": "a person"}, frozenset({"12"}), ()).text(text) == expected


def test_note_that_lists_people_by_number_is_not_shown() -> None:
    mask = Mask({}, frozenset({"12"}), ())
    assert mask.value({"notes": ["left out: 12, 13"]})["notes"][0].startswith("A note that may")
    assert mask.value({"notes": ["left out: 14"]}) == {"notes": ["left out: 14"]}
    assert json.dumps(mask.value({"people": ["12", 12]})) == '{"people": ["<id>", 12]}'


def test_a_single_small_group_cannot_be_computed_from_the_total() -> None:
    groups = pd.DataFrame({"group": ["CN", "MCI", "AD"], "n": [20, 9, 4], "age": [70.0, 71, 72]})
    hidden = Privacy().hide_groups(groups, "n")
    assert hidden["n"].isna().tolist() == [False, True, True]
    assert hidden["age"].isna().tolist() == [False, True, True]
    assert Privacy(smallest_cell=4).hide_groups(groups, "n")["n"].notna().all()


def test_sites_that_are_numbers_stay_apart() -> None:
    levels = {"site 011": "site 1", "site 012": "site 2"}
    mask = Mask({}, frozenset({"011", "012"}), (), levels)
    table = pd.DataFrame({"covariate": ["site 011", "site 012", "age_years"]})
    assert list(mask_table(table, mask)["covariate"]) == ["site 1", "site 2", "age_years"]
