"""The data dictionary says of each column what it means and what it may hold."""

import pandas as pd

from cohorts.dictionary import describe_tables, format_dictionary
from cohorts.schema import TABLES

PEOPLE = pd.DataFrame(
    {"participant_id": ["a"], "sex": ["F"], "age_years": [70.0], "diagnosis": ["CN"], "site|x": [1]}
)


def test_types_ranges_units_and_keys_are_those_of_the_schema() -> None:
    found = describe_tables({"participants": PEOPLE})["participants"]
    assert (found["key"], found["n_rows"]) == (["participant_id"], 1)
    assert found["command"] == "trialsim cohort import"
    assert found["columns"]["age_years"] == {
        "meaning": "age, in `participants` that at baseline",
        "unit": "years",
        "type": "number",
        "may_be_empty": False,
        "minimum": 0,
        "maximum": 120,
    }
    assert found["columns"]["sex"]["values"] == ["F", "M"]
    assert found["columns"]["site|x"]["type"] == "integer"


def test_every_column_that_a_cohort_must_have_has_a_meaning() -> None:
    for table in ("participants", "visits", "volumes", "predictions", "scores", "sample_sizes"):
        empty = pd.DataFrame(columns=list(TABLES[table].columns))
        columns = describe_tables({table: empty})[table]["columns"]
        said = [name for name, column in columns.items() if column["meaning"]]
        assert len(said) >= 0.7 * len(columns)


def test_markdown_has_a_row_for_each_column() -> None:
    text = format_dictionary(describe_tables({"participants": PEOPLE, "own": PEOPLE}))
    assert (
        "| age_years | age, in `participants` that at baseline | years | number | 0 to 120 |  |"
        in text
    )
    assert text.count("| site\\|x |") == 2
    assert "## own" in text
