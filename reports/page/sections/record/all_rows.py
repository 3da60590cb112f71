"""The appendix with every row of which the sections show one a choice."""

from reports.page.content import Block, Section
from reports.page.gather import StudyFacts
from reports.page.sections.choices.comparison import (
    build_capture_differences,
    build_power_differences,
    build_savings,
)
from reports.page.sections.choices.power import build_characteristics, build_sizes
from reports.page.sections.people.balance import build_balance
from reports.page.sections.people.prediction import build_capture_rates


def describe_all_rows(facts: StudyFacts) -> Section:
    """Return the long tables, every row of each."""
    tables = facts.tables
    blocks: list[Block] = []
    if facts.has("sample_sizes"):
        blocks.append(build_sizes(facts, tables["sample_sizes"], title="Sample sizes"))
    if facts.has("sample_size_savings"):
        rows = tables["sample_size_savings"]
        blocks.append(build_savings(facts, rows, title="Paired savings, all rows"))
    if facts.has("operating_characteristics"):
        rows = tables["operating_characteristics"]
        blocks.append(build_characteristics(facts, rows, title="Operating characteristics"))
    if facts.has("capture_rates"):
        rows = tables["capture_rates"]
        blocks.append(build_capture_rates(facts, rows, title="Capture rates"))
    if facts.has("power_differences"):
        rows = tables["power_differences"]
        blocks.append(build_power_differences(facts, rows, title="Differences in power, all rows"))
    if facts.has("capture_differences"):
        rows = tables["capture_differences"]
        title = "Differences in capture rate, all rows"
        blocks.append(build_capture_differences(facts, rows, title=title))
    if facts.has("archive_balance"):
        title = "Archive and screened people at baseline, all covariates"
        blocks.append(build_balance(facts, title=title))
    return Section("All rows", tuple(blocks), is_appendix=True)
