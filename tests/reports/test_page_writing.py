"""Reports on disk: whole or not at all, every value from the data as text, every part present."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cohorts.errors import StorageError
from cohorts.schema import find_command
from reports.page.compose import compose_page
from reports.page.content import Answer, Page, Paragraph
from reports.page.file_formats import ReportFormat
from reports.page.gather import StudyFacts, gather_study
from reports.page.privacy import Privacy
from reports.page.render.html import render_html
from reports.page.sections.methods.limits import describe_limits
from reports.page.sections.methods.paragraphs import show_assumed_change
from reports.page.writing import write_report
from reports.store.study import Study
from trialsim.cli.app import app

Tables = dict[str, pd.DataFrame]
HOSTILE = "=1+1<script>alert(1)</script>\"'&`|\n\U0001f9e0" + "x" * 10_000
MOMENT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


class Tags(HTMLParser):
    """Counts what is an element, and keeps what is text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]


def parse(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    return tags


def test_page_is_in_a_readers_order(html: str) -> None:
    titles = re.findall(r"<h2[^>]*>(?:Appendix )?(\w+)\. ([^<]+)", html)
    assert [number for number, _ in titles] == [*map(str, range(1, 14)), *"ABCD"]
    assert [title for _, title in titles][:5] == [
        "The choices side by side",
        "Who is enrolled, and who is not",
        "How good the prediction is",
        "Power and type I error",
        "Sensitivity",
    ]


def test_tables_and_figures_are_numbered_as_they_are_read(html: str) -> None:
    for word in ("Table", "Figure"):
        numbers = re.findall(rf'<span class="label">{word} (\d+)\.</span>', html)
        assert len(numbers) > 8
        assert numbers == [str(number) for number in range(1, len(numbers) + 1)]


def test_a_reviewers_index_leads_to_numbered_sections(html: str) -> None:
    index = html[html.index("Appendix D.") :]
    for item in ("ICH E9(R1): population", "type I error, bias", "ADEMP: data-generating"):
        assert item in index
    assert "7. Estimand" in index


def test_the_estimand_names_events_and_what_each_strategy_gives(html: str) -> None:
    part = html[html.index("Estimand and hypotheses") :]
    part = part[: part.index("</section>")]
    for words in (
        "Change of 100 × the natural logarithm of the volume",
        "treatment policy: outcomes count whether it happened or not",
        "10 % (by the last visit) of control, 5 %, 5 %, 5 %, 5",
        "50 % of the effect is lost a year; people who leave the study stop treatment",
        "20 % (by the last visit) of each arm; later outcomes are missing",
        "Jump to reference",
        "half of the trials are significant if treated people who left fared 1.90",
    ):
        assert words in part


def test_paragraphs_to_paste_hold_the_answers_numbers(html: str, study_tables: Tables) -> None:
    sizes = study_tables["sample_sizes"].query("analysis == 'mmrm' and strategy != 'oracle'")
    best = sizes.loc[sizes["cost"].idxmin()]
    text = html[html.index("Protocol, sample size") :][:3000]
    total = int(np.ceil(best["n_control"] + best["n_treatment"] - 1e-9))
    assert f"A total of {total} participants" in text
    assert "two-sided type I error of 5\u00a0%" in text
    assert "seed 7 (run r000005 of the study file)" in text


def test_the_paragraph_tells_the_change_that_is_assumed() -> None:
    covariance = np.array([[100.0, 90.0], [90.0, 144.0]])
    moments = pd.DataFrame(
        {
            "strategy": "regression",
            "fraction_enrolled": 0.5,
            "quantity": ["month 0", "month 0", "month 24", "month 24"],
            "other": ["month 0", "month 24"] * 2,
            "covariance": covariance.ravel(),
            "true_change": [0.0, 0.0, -7.5, -7.5],
        }
    )
    # var(Y_24 - Y_0) = 100 + 144 - 2 x 90 = 64; 90 / sqrt(100 x 144) = .75
    told = show_assumed_change(moments, (0.0, 12.0, 24.0), "log_percent")
    assert told == (
        "Untreated, those enrolled are taken to change by \u22127.50 % (100 ln) until month 24; "
        "the standard deviation of the measured change between them is 8.00 % (100 ln), and the "
        "first and the last volume correlate 0.750."
    )
    assert show_assumed_change(moments, (0.0, 36.0), "log_percent") is None


def test_ids_are_unique_and_links_lead_somewhere(html: str) -> None:
    page = parse(html)
    assert len(page.ids) == len(set(page.ids))
    inside = {link.removeprefix("#") for link in page.links if link.startswith("#")}
    assert inside <= set(page.ids)


def test_page_asks_for_nothing_from_outside(html: str) -> None:
    links = parse(html).links
    assert links
    assert all(link.startswith(("#", "data:")) for link in links)
    assert "Content-Security-Policy\" content=\"default-src 'none'; img-src data:;" in html
    assert not re.search(r"@import|url\((?!['\"]?(#|data:))", html)


def test_synthetic_data_are_called_that_everywhere(html: str) -> None:
    page = parse(html)
    marks = html.count('class="synthetic"')
    assert "SYNTHETIC DATA." in html
    of_the_method = len(re.findall(r'<h3 id="table[^>]*>(?!.*class="synthetic")', html))
    assert of_the_method > 5
    assert marks == page.tags.count("table") - of_the_method + page.tags.count("figure")


def test_every_table_with_numbers_names_its_run(html: str) -> None:
    tables = re.findall(r'<table data-name="([^"]+)"[^>]*?(title="Run r\d+)?[^>]*>', html)
    nameless = {name for name, title in re.findall(r'<table data-name="([^"]+)"([^>]*)>', html)
                if "Run r" not in title}  # fmt: skip
    assert tables
    assert nameless == {"runs-in-this-study-file", "items"}


@pytest.mark.usefixtures("_undrawn", "_unplotted")
def test_same_study_gives_the_same_page(example_study: Study, page: Page) -> None:
    again = compose_page(gather_study(example_study), moment=page.written)
    assert render_html(again) == render_html(page)


def test_every_figure_of_the_page_is_drawn(page: Page, html: str) -> None:
    drawn = re.findall(r"<figure.*?</figure>", html, re.DOTALL)
    assert len(drawn) == len(page.pictures) > 10
    assert min(figure.count("<path") for figure in drawn) > 5


def test_part_without_data_names_the_command_that_fills_it(tmp_path: Path) -> None:
    page = render_html(compose_page(gather_study(Study.open(tmp_path / "e.duckdb")), moment=MOMENT))
    shown = {"participants", "scores", "capture_rates", "operating_characteristics"}
    for command in {find_command(table) for table in shown}:
        assert f"<code>{command}</code>" in page


def test_study_of_empty_tables_names_the_commands_and_draws_nothing(
    study_tables: Tables, tmp_path: Path
) -> None:
    study = Study.open(tmp_path / "study.duckdb")
    with study.run(command="trialsim run protocol.toml", config={"title": "Empty"}) as run:
        for name, frame in study_tables.items():
            run.write(name, frame.head(0))
    page = compose_page(gather_study(study), moment=MOMENT)
    html = render_html(page)
    assert (page.title, len(page.sections), page.pictures) == ("Empty", 17, ())
    assert all(section.blocks for section in page.sections if section.title != "All rows")
    for command in {find_command(name) for name in study_tables} - {"trialsim predict"}:
        assert f"<code>{command}</code>, which fills this part, has run and wrote no rows" in html


LEAVES_OUT = (
    ("participants", "sample_sizes"),
    ("visits", "cheapest_fractions", "predictor_performance"),
    ("volumes", "selections", "operating_characteristics"),
)


@pytest.mark.parametrize("left_out", LEAVES_OUT)
def test_tables_may_be_missing(left_out: tuple[str, ...], facts: StudyFacts) -> None:
    tables = {name: frame for name, frame in facts.tables.items() if name not in left_out}
    writers = {name: run for name, run in facts.writers.items() if name not in left_out}
    changed = type(facts)(facts.study, tables, facts.runs, writers)
    assert len(compose_page(changed, moment=MOMENT).sections) == 17


@pytest.mark.usefixtures("_undrawn", "_unplotted")
def test_tables_of_earlier_versions_lack_columns(
    example_study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = ["power_equal_budget", "n_control_whole", "pool_size", "ln_n_sd_archive"]
    read = Study.read

    def read_as_before(study: Study, table: str) -> pd.DataFrame:
        return read(study, table).drop(columns=later, errors="ignore")

    monkeypatch.setattr(Study, "read", read_as_before)
    html = render_html(compose_page(gather_study(example_study), moment=MOMENT))
    assert "Power for the cost of the other" not in html
    assert "Paired savings" in html


def test_flagged_scans_say_what_found_the_brain(html: str) -> None:
    flagged = html[html.index("Flagged scans") :]
    assert ">hidden<" in flagged[: flagged.index("</table>")]
    assert "Brain found by" in flagged
    assert "template" in flagged[: flagged.index("</table>")]


@pytest.mark.parametrize(
    ("unit", "words"), [("mm3", "intercept, mm³"), ("percent", "intercept, %")]
)
def test_an_intercept_is_in_the_endpoints_unit(
    study_tables: Tables, tmp_path: Path, unit: str, words: str
) -> None:
    rows = study_tables["predictor_performance"].iloc[:1].assign(metric="calibration_intercept")
    path = tmp_path / "study.duckdb"
    with (
        Study.open(path) as writing,
        writing.run(
            command="x", config={"selection": {"fast_progressor": {"unit": unit}}}, seed=1
        ) as run,
    ):
        run.write("predictor_performance", rows)
    study = Study.open(path, read_only=True)
    assert words in render_html(compose_page(gather_study(study), moment=MOMENT))


def test_anchors_that_fail_are_counted(facts: StudyFacts) -> None:
    anchors = pd.DataFrame(
        {
            "anchor": ["a", "b"],
            "source": "c",
            "expected": 1.0,
            "computed": [1.0, 2.0],
            "tolerance": 0.0,
            "passes": [True, False],
        }
    )
    blocks = describe_limits(facts, anchors).blocks
    texts = [block for block in blocks if isinstance(block, Paragraph)]
    assert texts[-1].text.startswith("1 of 2 reference values pass")
    assert texts[-1].is_warning


@pytest.fixture(scope="module")
def hostile_study(study_tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Study:
    columns = ("participant_id", "site", "strategy", "covariate", "parameter", "criterion")
    names = {"sub-00003", "Site A", "brlp", "mmse", "Slowing", "Usable baseline MRI"}
    tables = {
        name: frame.assign(
            **{
                column: frame[column].map(lambda v: HOSTILE if v in names else v)
                for column in columns
                if column in frame
            }
        )
        for name, frame in study_tables.items()
    }
    tables["predictor_performance"]["subgroup"] += HOSTILE
    tables["capture_rates"]["definition"] = HOSTILE
    tables["scan_checks"]["reasons"] = HOSTILE
    study = Study.open(tmp_path_factory.mktemp("hostile") / "study.duckdb")
    config = {"title": HOSTILE, "currency": HOSTILE, "unit": HOSTILE, "notes": [HOSTILE]}
    with study.run(command=f"trialsim {HOSTILE}", config=config, seed=1) as run:
        for name, frame in tables.items():
            run.write(name, frame)
    return study


def test_hostile_text_stays_text_in_html(hostile_study: Study) -> None:
    facts = gather_study(hostile_study)
    page = render_html(
        compose_page(facts, moment=MOMENT, n_listed=3, privacy=Privacy(identify=True))
    )
    assert parse(page).tags.count("script") == 1
    assert "&lt;script&gt;alert(1)" in page
    assert len(page) < 5_000_000


@pytest.mark.usefixtures("_undrawn", "_unplotted")
def test_hostile_text_stays_text_in_markdown_and_csv(hostile_study: Study, tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    write_report(hostile_study, path, report_format=ReportFormat.MARKDOWN)
    assert "<script>" not in re.sub(
        r"~~~~.*?~~~~|^- r\d+: `[^`]*`$", "", path.read_text(), flags=re.DOTALL | re.M
    )
    for table in (tmp_path / "report_figures").glob("*.csv"):
        frame = pd.read_csv(table, keep_default_na=False, dtype=str)
        cells = frame.select_dtypes(["object", "str"]).to_numpy().ravel()
        assert not [cell for cell in cells if cell.startswith("=")], table.name


@pytest.mark.slow
def test_hostile_text_is_printed(hostile_study: Study, tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    write_report(hostile_study, path, report_format=ReportFormat.PDF)
    assert path.read_bytes().startswith(b"%PDF-")


@pytest.mark.parametrize(
    ("step", "problem"),
    [("os.fsync", "No space left on device"), ("tempfile.mkstemp", "Read-only file system")],
)
def test_full_disk_or_read_only_folder_leaves_the_old_report(
    step: str,
    problem: str,
    example_study: Study,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def refuse(*_args: object, **_options: object) -> None:
        raise OSError(5, problem)

    empty = Page("Title", Answer("Nothing yet."), (), (), False, MOMENT)
    monkeypatch.setattr("reports.page.writing.compose_page", lambda *_args, **_options: empty)
    monkeypatch.setattr(step, refuse)
    with pytest.raises(StorageError, match=f"{problem}. The file that was there is unchanged"):
        write_report(example_study, path)
    assert path.read_text() == "old"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.html", "html"), ("a.PDF", "pdf"), ("a.markdown", "md"), ("a", "html"), ("a.json", "json")],
)
def test_ending_names_the_format(name: str, expected: str) -> None:
    assert ReportFormat.of(Path(name)).value == expected


def truncate(path: Path, whole: Path) -> None:
    path.write_bytes(whole.read_bytes()[:20_000])


def make_foreign(path: Path, _whole: Path) -> None:
    import duckdb

    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE other (a INTEGER)")


def write_text(path: Path, _whole: Path) -> None:
    path.write_text("not a database")


def write_nothing(_path: Path, _whole: Path) -> None:
    """Leave the file missing."""


@pytest.mark.parametrize("spoil", [truncate, make_foreign, write_text, write_nothing])
def test_bad_study_is_a_sentence_and_the_old_report_stays(
    spoil: Callable[[Path, Path], None], example_study: Study, tmp_path: Path
) -> None:
    study, report = tmp_path / "study.duckdb", tmp_path / "report.html"
    spoil(study, example_study.path)
    report.write_text("old")
    done = CliRunner().invoke(app, ["report", str(study), "--out", str(report)])
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: ")
    assert report.read_text() == "old"


@pytest.mark.usefixtures("_undrawn", "_unplotted")
def test_command_writes_the_page_with_its_title(example_study: Study, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    arguments = ["report", str(example_study.path), "--out", str(report), "--title", "A <b>"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.strip() == str(report)
    assert "<h1>A &lt;b&gt;</h1>" in report.read_text()
    assert re.search(r"(\d+) of \1 reference values pass", report.read_text())


def test_options_are_never_broken_over_two_lines(html: str) -> None:
    """A phone would part `--fractions-enrolled` at its hyphens, which nobody can type again."""
    bodies = re.findall(r"<(?:pre|code)\b[^>]*>(.*?)</(?:pre|code)>", html, re.DOTALL)
    kept = re.findall(r'<span class="o">(--[\w-]+)</span>', " ".join(bodies))
    bare = re.sub(r'<span class="o">--[\w-]+</span>', "", " ".join(bodies))
    assert kept
    assert not re.search(r"(?<![\w-])--[a-z]", bare)
    assert ".o { white-space: nowrap; }" in html
