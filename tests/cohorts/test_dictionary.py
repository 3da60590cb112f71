"""The data dictionary says of each column what it means and what it may hold."""

import pandas as pd

from cohorts.dictionary import describe_tables, find_meaning, format_dictionary
from cohorts.schema import TABLES
from cohorts.schema.meanings import MEANINGS

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
    assert found["columns"]["site|x"]["meaning"] == "as the source of the people names it"


def test_a_covariate_has_its_meaning_and_a_file_of_the_users_none_of_ours() -> None:
    scanned = PEOPLE.assign(mmse=29.0)
    found = describe_tables({"participants": scanned, "own": scanned})
    assert found["participants"]["columns"]["mmse"]["meaning"].startswith("Mini-Mental State")
    assert found["own"]["columns"]["site|x"]["meaning"] == ""


def test_every_column_of_every_table_has_a_meaning() -> None:
    columns = {column for schema in TABLES.values() for column in schema.columns}
    assert sorted(column for column in columns if not find_meaning(column)) == []


def test_no_meaning_is_of_a_column_that_is_gone() -> None:
    columns = {column for schema in TABLES.values() for column in schema.columns}
    assert sorted(set(MEANINGS) - columns) == []


def test_markdown_has_a_row_for_each_column() -> None:
    text = format_dictionary(describe_tables({"participants": PEOPLE, "own": PEOPLE}))
    assert (
        "| age_years | age, in `participants` that at baseline | years | number | 0 to 120 |  |"
        in text
    )
    assert text.count("| site\\|x |") == 2
    assert "## own" in text
