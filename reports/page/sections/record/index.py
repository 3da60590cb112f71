"""Where a reviewer finds what ICH E9(R1), ICH E20 and ADEMP ask for."""

from typing import Final

from reports.page.columns import build_facts
from reports.page.content import Section

_ITEMS: Final = (
    ("ICH E9(R1): population, treatment, variable, intercurrent events, summary", "Estimand"),
    ("ICH E9(R1): sensitivity to assumptions", "Sensitivity"),
    ("ICH E20: type I error, bias of the estimate, coverage", "Power and type I error"),
    ("ICH E20: number of simulations, seeds, software", "Simulation study"),
    ("ICH E20: rationale of scenarios, looks", "Interim looks"),
    ("ADEMP: aims, estimands, methods, performance measures", "Simulation study"),
    ("ADEMP: data-generating mechanisms", "Data-generating mechanism"),
    ("Enrichment (FDA 2019): who is enrolled and left out", "Who is enrolled, and who is not"),
    ("Enrichment (FDA 2019): performance of the selector", "How good the prediction is"),
    ("Covariates (FDA 2023): model, robust errors, scope", "Analysis model"),
    ("Limits, generalizability", "Limits and regulatory note"),
    ("Versions, files, configuration, commands", "Runs, software, configuration, files"),
    ("Check of the software against published values", "Published values, computed again"),
)


def describe_index(sections: tuple[Section, ...]) -> Section:
    """Return a table of the items and the numbers of the sections that hold them.

    Parameters
    ----------
    sections
        The numbered sections of the page.
    """
    numbers = {section.title: section.number for section in sections}
    places = [(item, f"{numbers[title]}. {title}") for item, title in _ITEMS if title in numbers]
    return Section("Where a reviewer finds it", (build_facts("Items", places),), is_appendix=True)
