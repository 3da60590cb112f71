"""Tables as they are read: digits under each other, the asked order, one name a thing."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO

import pandas as pd
import pytest
from pypdf import PdfReader

from reports.page.columns import build_table, number, simulated, words
from reports.page.content import Answer, Cell, Page, Paragraph, Picture, Section, Table
from reports.page.formats import show_count, show_decimals, show_number
from reports.page.gather import StudyFacts
from reports.page.labels import label_blocks
from reports.page.masking import Mask
from reports.page.privacy import Privacy
from reports.page.render.html import render_html
from reports.page.render.pdf import render_pdf
from reports.page.sections.people.prediction import describe_prediction
from reports.page.sections.people.selection import describe_selection, find_small_levels

NBSP, MINUS = "\u00a0", "\u2212"
MOMENT = datetime(2026, 1, 2, tzinfo=UTC)


def list_texts(table: Table, title: str) -> list[str]:
    place = [column.title for column in table.columns].index(title)
    return [row[place].text for row in table.rows]


def find_table(section: Section, title: str) -> Table:
    return next(b for b in section.blocks if isinstance(b, Table) and b.title.startswith(title))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0079, "0.01"), (-1.3, f"{MINUS}1.30"), (-0.001, "0.00"), (None, "\u2013")],
)
def test_decimals_stand_under_each_other(value: float | None, expected: str) -> None:
    assert show_decimals(value) == expected


def test_a_simulated_number_has_the_decimals_of_its_error() -> None:
    frame = pd.DataFrame({"a": ["x", "y"], "bias": [-0.0024, 1.5], "mcse": [0.0226, 0.31]})
    rules = [words("a", "A"), simulated("bias", "mcse", "Bias", lambda v: show_number(v, digits=2))]
    table = build_table(frame, rules, title="T")
    assert list_texts(table, "Bias") == [f"{MINUS}0.002 ± 0.023", "1.50 ± 0.31"]


def test_a_column_of_dashes_is_not_told() -> None:
    frame = pd.DataFrame({"a": ["x", "y"], "n": [3, 4], "m": [float("nan")] * 2, "k": [7, 7]})
    rules = [words("a", "A"), *(number(name, name.upper(), show_count) for name in "nmk")]
    table = build_table(frame, rules, title="T")
    assert [column.title for column in table.columns] == ["A", "N"]
    assert table.note == "In all rows: K: 7."


def test_strategies_stand_in_the_order_in_which_they_were_asked_for(facts: StudyFacts) -> None:
    asked = ("oracle", "brlp", "random")
    run_id = facts.writers["scores"]
    turned = replace(facts, descriptions={run_id: {"selection.strategies": list(asked)}})
    assert turned.describe("scores").strategies == asked
    names = pd.DataFrame({"strategy": ["random", "other", "brlp", "oracle"]})
    assert list(turned.order_strategies(names)["strategy"]) == [*asked, "other"]
    section = describe_selection(turned, Privacy(), n_listed=0)
    titles = [c.title for c in find_table(section, "People selected by each").columns]
    assert titles[1:4] == ["Oracle (unattainable bound)", "BrLP", "Random"]


def test_categories_too_small_to_be_shown_are_named_in_a_note(facts: StudyFacts) -> None:
    differences = facts.tables["group_differences"]
    assert not differences["covariate"].str.startswith("site").any()
    once = differences.drop_duplicates(["strategy", "fraction_enrolled"])
    tiny = once.assign(covariate="site site-1", mean_selected=0.01, mean_not_selected=0.01)
    tables = {**facts.tables, "group_differences": pd.concat([differences, tiny])}
    section = describe_selection(replace(facts, tables=tables), Privacy(), n_listed=0)
    table = find_table(section, "Selected and not selected")
    assert not any("site" in cell.text.lower() for row in table.rows for cell in row)
    assert "Not shown, since a level of it would count fewer than 5 people: site." in table.note
    # of one strategy many, whose rows are shown
    some = tiny.assign(mean_selected=0.5, mean_not_selected=0.5)
    mixed = some.where(some["strategy"] == "random", tiny)
    tables["group_differences"] = pd.concat([differences, mixed])
    section = describe_selection(replace(facts, tables=tables), Privacy(), n_listed=0)
    note = find_table(section, "Selected and not selected").note
    assert "site of " in note
    assert "Random" not in note.partition("site of ")[2]


@pytest.mark.usefixtures("_unplotted")
def test_measures_in_subgroups_have_a_line_a_group_and_strategy(facts: StudyFacts) -> None:
    section = describe_prediction(facts, Privacy())
    table = find_table(section, "Measures of prediction in subgroups")
    performance = facts.tables["predictor_performance"]
    small = performance[~performance["subgroup"].isin(["all", "everyone"])]
    pairs = small[["subgroup", "strategy"]].drop_duplicates()
    assert len(table.rows) == len(pairs) < len(small)
    assert not any("sex F" in cell.text for row in table.rows for cell in row)


@pytest.mark.usefixtures("_unplotted")
def test_a_yearly_change_has_its_unit_where_it_belongs(facts: StudyFacts) -> None:
    rates = facts.tables["capture_rates"]
    for definition, said in (
        ("yearly change below -2 percent, at 24 months", "yearly change below -2 percent, at 24"),
        ("fastest 30 % at 24 months, percent", "at 24 months, in % of the volume at baseline"),
    ):
        tables = {**facts.tables, "capture_rates": rates.assign(definition=definition)}
        blocks = describe_prediction(replace(facts, tables=tables), Privacy()).blocks
        (picture,) = [b for b in blocks if isinstance(b, Picture) and "captured" in b.title]
        assert said in picture.title
        assert ", in at" not in picture.title


@pytest.mark.usefixtures("_unplotted")
def test_people_of_an_archive_are_told_wherever_strategies_are_judged_on_them(
    facts: StudyFacts,
) -> None:
    run_id = facts.writers["capture_rates"]
    told = json.dumps({**facts.config(run_id), "judged_on": "archive"})
    config = facts.runs["config"].mask(facts.runs["run_id"] == run_id, told)
    on_archive = replace(facts, runs=facts.runs.assign(config=config))
    for one, is_archive in ((facts, False), (on_archive, True)):
        blocks = describe_prediction(one, Privacy()).blocks
        titles = {
            block.title: "of the archive" in block.title
            for block in blocks
            if isinstance(block, Picture | Table)
            and block.title.startswith(("Measures", "Predicted against", "Share of", "Capture"))
        }
        assert len(titles) >= 5
        assert set(titles.values()) == {is_archive}
        (scores,) = [b for b in blocks if isinstance(b, Table) and b.title == "Scores"]
        assert ("only the archive" in scores.note) == is_archive
        (rates,) = [b for b in blocks if isinstance(b, Table) and b.title.startswith("Capture")]
        # what is adjusted over a family is no exact p of one rate
        assert "p: one-sided; adjusted over all strategies and sizes" in rates.note


def test_a_column_of_sentences_and_an_interval_are_told_to_the_style() -> None:
    frame = pd.DataFrame({"a": ["x" * 49, "y"], "n": [3, 4], "b": ["x" * 48, "z"]})
    rules = [words("a", "A"), number("n", "N", show_count), words("b", "B")]
    table = build_table(frame, rules, title="T")
    assert [table.is_wordy(place) for place in range(3)] == [True, False, False]
    rows = ((Cell("a", ""), Cell("0.53 (0.41 to 0.64)", 0.53), Cell("z", "")),)
    section = Section("S", (replace(table, rows=rows),), "1")
    page = Page("P", Answer("a", ()), (section,), (), False, MOMENT)
    # the interval may stand below its number, but not be torn
    assert "0.53 <span>(0.41 to 0.64)</span>" in render_html(page)


def test_a_number_and_its_unit_stay_on_one_line() -> None:
    section = Section("S", (Paragraph("the 95 % interval, EUR 3 million of 7 people"),), "1")
    page = label_blocks(Page("P", Answer("27 % of it", ("5 %",)), (section,), (), False, MOMENT))
    (paragraph,) = page.sections[0].blocks
    assert isinstance(paragraph, Paragraph)
    assert paragraph.text == f"the 95{NBSP}% interval, EUR 3{NBSP}million of 7 people"
    assert (page.answer.headline, page.answer.details) == (f"27{NBSP}% of it", (f"5{NBSP}%",))


def test_what_was_measured_in_one_scan_is_not_told() -> None:
    mask = Mask({"sub-07": "a person"}, frozenset(), ())
    reason = "the amygdala volume of sub-07 is 5845.23, outside the training range (1761 to 5827)."
    told = "the amygdala volume of a person is outside the training range (1761 to 5827)."
    assert mask.text(reason) == told
    assert "0.80" not in mask.text("brightness to the power 0.80 would have it")


def test_the_ends_of_several_peoples_numbers_are_not_told() -> None:
    mask = Mask({"sub-07": "a person", "sub-09": "a person"}, frozenset(), ())
    told = (
        "Check the scan of sub-07, sub-09: the hippocampus volume is 4107.7 to 4362.07, outside "
        "the training range (4460 to 13613), brightness to the power 0.75 to 1.30 would have it."
    )
    assert mask.note(told) == (
        "Check the scan of several people: the hippocampus volume is outside the training range "
        "(4460 to 13613), brightness to another power would have it."
    )


def test_a_digest_is_copied_from_print_as_it_is() -> None:

    digest = "0123456789abcdef" * 4
    section = Section("S", (Paragraph(f"SHA-256 {digest} and {'x' * 60}"),), "1")
    page = Page("P", Answer("A"), (section,), (), False, written=MOMENT)
    text = "".join(leaf.extract_text() for leaf in PdfReader(BytesIO(render_pdf(page))).pages)
    assert digest in text.replace("\n", "")


def test_fits_that_failed_are_counted_alike_everywhere(facts: StudyFacts, page: Page) -> None:
    rows = facts.tables["operating_characteristics"]
    fitted = rows.loc[rows["analysis"] == "mmrm", "n_simulations"].sum()
    (plan,) = [
        " ".join(block.lines)
        for section in page.sections
        for block in section.blocks
        if getattr(block, "title", "").startswith("Statistical analysis plan")
    ]
    assert f"of {fitted:,} fits of this analysis failed" in plan


def test_shares_that_would_count_few_people_are_hidden_with_their_whole_category() -> None:
    shares = {"diagnosis AD": (0.25, 0.0), "diagnosis CN": (0.25, 0.8), "diagnosis MCI": (0.5, 0.2)}
    means = {**shares, "sex F": (0.75, 0.5), "age_years": (73.0, 70.0)}
    rows = pd.DataFrame(
        [
            {"covariate": name, "mean_selected": one, "mean_not_selected": other}
            for name, (one, other) in means.items()
        ]
    ).assign(strategy="brlp", fraction_enrolled=0.5)
    counts = pd.DataFrame(
        {"strategy": ["brlp"], "fraction_enrolled": [0.5], "n_selected": [20], "n_ranked": [40]}
    )
    # 0.2 of 20 people are 4
    assert list(find_small_levels(rows, counts, Privacy())) == [True, True, True, False, False]
    assert not find_small_levels(rows, counts, Privacy(smallest_cell=4)).any()
    assert not find_small_levels(rows, counts.assign(n_ranked=220), Privacy()).loc[2]
