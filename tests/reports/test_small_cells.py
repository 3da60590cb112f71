"""Nobody subtracts what a page shows from its totals and is left with a group of a few people."""

from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import docx
import numpy as np
import pandas as pd
import pytest
from pypdf import PdfReader

from reports.page.compose import compose_page
from reports.page.content import Page, Table
from reports.page.file_formats import ReportFormat
from reports.page.gather import gather_study
from reports.page.privacy import Privacy
from reports.page.trial.sections import _hide_few
from reports.page.writing import render_page
from reports.store.study import Study
from tests.conftest import leave_unplotted

Tables = dict[str, pd.DataFrame]
MOMENT = datetime(2026, 1, 2, tzinfo=UTC)
LEAST = Privacy().smallest_cell


def find_determined(counts: pd.DataFrame, hidden: pd.DataFrame) -> list[int]:
    """Return the hidden counts that follow from the others and the totals of rows and columns."""
    cells = np.argwhere(hidden.to_numpy())
    if not len(cells):
        return []
    equations = [(cells[:, axis] == line).astype(float)
                 for axis in (0, 1) for line in range(counts.shape[axis])]  # fmt: skip
    _, sizes, directions = np.linalg.svd(np.array(equations))
    free = directions[int((sizes > 1e-9).sum()) :]
    fixed = (np.abs(free) < 1e-9).all(axis=0)
    return [int(n) for n in counts.to_numpy()[tuple(cells[fixed].T)]]


def test_no_small_cell_of_a_two_way_table_follows_from_its_totals() -> None:
    rng, n_hidden = np.random.default_rng(1), 0
    for _ in range(300):
        counts = pd.DataFrame(rng.negative_binomial(1, 0.1, (3, 2)) + 1)
        hidden = Privacy().hide_table(counts)
        assert hidden.to_numpy()[counts.to_numpy() < LEAST].all()
        assert [n for n in find_determined(counts, hidden) if n < LEAST] == []
        n_hidden += int(hidden.to_numpy().any())
    # without the cells hidden besides, most would have followed
    assert n_hidden > 100


@pytest.mark.parametrize(
    ("counts", "hidden"),
    [
        ([20, 9, 4], [False, True, True]),
        ([20, 9, 1, 1], [False, True, True, True]),  # two of one each are two people
        ([20, 9, 4, 4], [False, False, True, True]),
        ([20, 0, 4], [True, False, True]),  # nobody hides nobody
        ([20, 9, 5], [False, False, False]),
    ],
)
def test_a_line_hides_what_would_give_the_small_one_away(
    counts: list[int], hidden: list[bool]
) -> None:
    assert Privacy().hide_line(pd.Series(counts, dtype=float)).tolist() == hidden


@pytest.fixture(scope="module")
def page(study_tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Three healthy people, one of them a woman; two fail a criterion; two lack month 24."""
    tables = {**study_tables}
    people = tables["participants"].copy()
    people["diagnosis"] = ["CN"] * 3 + ["MCI"] * 97 + ["AD"] * (len(people) - 100)
    people["sex"] = (
        ["F", "M", "M"] + ["F", "M"] * ((len(people) - 3) // 2) + ["F"] * ((len(people) - 3) % 2)
    )
    tables["participants"] = people
    flow = tables["screening_flow"].copy()
    last = flow["n_remaining"].iloc[-1]
    tables["screening_flow"] = flow.assign(
        n_failed=[2] + [0] * (len(flow) - 1), n_entering=[last + 2] + [last] * (len(flow) - 1),
        n_remaining=last, n_failed_alone=0,
    )  # fmt: skip
    rows = tables["predictor_performance"]
    whole = rows[rows["subgroup"].isin(["all", "everyone"])].head(1)
    tables["predictor_performance"] = pd.concat(
        [whole.assign(n=200), whole.assign(subgroup="site A", n=198)]
    )
    verdicts = ["warn"] * 3 + ["fail"] * 30 + ["pass"] * 27
    tables["scan_checks"] = pd.DataFrame(
        {
            "participant_id": people["participant_id"].head(60),
            "session_id": "baseline",
            "model_id": "tiny",
            "verdict": verdicts,
            "reasons": ["is thin"] * 3 + ["is cut off"] * 10 + ["is dark"] * 47,
        }
    )
    path: Path = tmp_path_factory.mktemp("small") / "study.duckdb"
    study = Study.open(path)
    with study.run(command="trialsim power", config={}) as run:
        for name, frame in tables.items():
            run.write(name, frame)
    with pytest.MonkeyPatch.context() as patch:
        leave_unplotted(patch)
        return compose_page(gather_study(study), moment=MOMENT)


def find_table(page: Page, title: str) -> Table:
    [found] = [
        block
        for section in page.sections
        for block in section.blocks
        if isinstance(block, Table) and title in block.title
    ]
    return found


def read_rows(table: Table) -> dict[str, list[str]]:
    return {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}


def test_diagnoses_that_would_give_a_small_one_away_are_hidden(page: Page) -> None:
    rows = read_rows(find_table(page, "People at baseline"))
    assert rows["All"][0] == "200"
    assert [name for name, cells in rows.items() if cells[0] == "hidden"] == ["CN", "MCI"]


def test_a_share_of_a_shown_number_is_no_small_number(page: Page) -> None:
    rows = read_rows(find_table(page, "People at baseline"))
    titles = [column.title for column in find_table(page, "People at baseline").columns]
    women = titles.index("Women") - 1
    assert "%" in rows["All"][women]
    assert not any("%" in rows[name][women] for name in ("CN", "MCI"))


def test_people_who_failed_cannot_be_counted(page: Page) -> None:
    told = " ".join(
        str(getattr(block, "text", "")) for part in page.sections for block in part.blocks
    )
    assert "<5 of those screened did not meet a criterion" in told
    assert not any(picture.name == "screening-flow" for picture in page.pictures)


def test_a_subgroup_that_is_nearly_everybody_is_left_out(page: Page) -> None:
    assert not any("subgroup" in block.title.lower() and block.rows
                   for part in page.sections for block in part.blocks
                   if isinstance(block, Table))  # fmt: skip


def test_no_bar_of_a_figure_gives_a_small_one_away(page: Page) -> None:
    [drawn] = [one.data["cohort-overview"] for one in page.pictures if "cohort" in one.name]
    ages = drawn[drawn["panel"] == "age"]["count"]
    assert 200 - ages.sum() == 0 or 200 - ages.sum() >= LEAST
    sexes = drawn[drawn["panel"] == "sex"]["group"]
    # CN is hidden, and in each sex another diagnosis with it
    assert not sexes.str.endswith("CN").any()
    assert sexes.str.startswith("Women").sum() == sexes.str.startswith("Men").sum() == 1


def test_reasons_of_scans_cannot_be_subtracted(page: Page) -> None:
    found = {row[1].text: row[2].text for row in find_table(page, "Flagged scans").rows}
    assert found == {"is thin": "hidden", "is cut off": "hidden", "is dark": "20"}


def test_an_arm_of_a_trial_is_not_the_rest_of_both() -> None:
    seen = pd.DataFrame(
        {
            "arm": ["control", "treatment", "all"],
            "months": 24.0,
            "n": [50, 50, 100],
            "n_seen": [48, 40, 88],
            "share_seen": [0.96, 0.8, 0.88],
        }
    )
    hidden = _hide_few(seen, Privacy())
    assert hidden["seen"].tolist() == [">45", "40", "hidden"]
    assert hidden["share_seen"].isna().tolist() == [True, False, True]
    assert _hide_few(seen, Privacy(identify=True))["seen"].tolist() == ["48", "40", "88"]


def read_text(content: bytes, report_format: ReportFormat) -> str:
    match report_format:
        case ReportFormat.PDF:
            return "\n".join(page.extract_text() for page in PdfReader(BytesIO(content)).pages)
        case ReportFormat.WORD:
            tables = docx.Document(BytesIO(content)).tables
            return "\n".join(cell.text for table in tables for cell in table._cells)
    return content.decode()


@pytest.mark.usefixtures("_undrawn")
@pytest.mark.parametrize(
    "report_format",
    [
        pytest.param(one, marks=pytest.mark.slow if one is ReportFormat.WORD else ())
        for one in ReportFormat
    ],
)
def test_no_format_counts_for_itself(page: Page, report_format: ReportFormat) -> None:
    """What is hidden in the content is hidden in each format: none looks at the tables again."""
    if report_format in (ReportFormat.PDF, ReportFormat.WORD):  # other formats hold the long tables
        page = replace(page, sections=tuple(s for s in page.sections if s.title != "All rows"))
    text = read_text(render_page(page, report_format, figures="figures"), report_format)
    hidden = sum(
        cell.text == "hidden"
        for part in page.sections
        for block in part.blocks
        if isinstance(block, Table)
        for row in block.rows
        for cell in row
    )
    assert hidden >= 4
    assert text.count("hidden") >= hidden
    assert "202" not in text.split()  # screened: two more than are eligible
