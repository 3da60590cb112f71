"""What the trial costs, where it is cheapest, how flat the cost is there."""

from reports.figures import plot_costs
from reports.figures.labels import strategy_label
from reports.page.choice import primary_analysis, primary_sizes
from reports.page.columns import build_table, number, with_interval, words
from reports.page.content import Block, Paragraph, Picture, Section
from reports.page.formats import money_format, show_fraction, show_share
from reports.page.gather import StudyFacts
from reports.page.sections.choices.comparison import find_currency
from reports.page.sections.gaps import describe_gap, describe_settings

_TABLE = "sample_sizes"
_UNIT_COSTS = (
    ("Currency", "currency"),
    ("Screening one person", "screening"),
    ("One participant", "participant"),
    ("One visit after baseline", "visit"),
    ("One month of the trial", "per_month"),
)
_RATE = ("People screened in a month", "screening_rate_per_month")


def describe_costs(facts: StudyFacts) -> Section:
    """Return unit costs, the cheapest fraction of each strategy, and the curve."""
    if not facts.has(_TABLE, "cheapest_fractions"):
        return Section("Costs", describe_gap(facts, _TABLE, "cheapest_fractions"))
    sizes = primary_sizes(facts)
    is_known = facts.describe(_TABLE).screening_rate_per_month is not None
    stated = (*_UNIT_COSTS, _RATE) if is_known else _UNIT_COSTS
    unit_costs = describe_settings(facts, "Unit costs", stated, _TABLE)
    if not (sizes["cost"] > 0).any():
        text = "No costs were given: `trialsim power` takes them from the protocol's [costs]."
        return Section("Costs", (unit_costs, Paragraph(text)))
    table = facts.tables["cheapest_fractions"]
    found = table[table["analysis"] == primary_analysis(facts)]
    cheapest = found[found["choice"] == "fraction"]
    currency = find_currency(facts)
    money, unit = money_format(cheapest["cost"], currency)
    sources = facts.sources("cheapest_fractions")
    rules = [
        words("strategy", "Strategy", strategy_label),
        number("fraction_enrolled", "Cheapest fraction enrolled", show_fraction),
        with_interval(
            "cost",
            "cost_lower",
            "cost_upper",
            f"Cost, {unit} (95 % interval)",
            money,
        ),
        number("share_chosen", "Chosen again", show_share),
        number("flat_from", "Within 5\u00a0%: from", show_fraction),
        number("flat_to", "to", show_fraction),
    ]
    blocks: tuple[Block, ...] = (
        unit_costs,
        Picture(
            "cost-by-fraction",
            "Cost of the trial against the fraction enrolled, a panel a strategy (gray: the "
            "others); star: cheapest; bands: 95 % intervals",
            "One panel a strategy with its cheapest point marked, and the cost of enrolling at "
            "random as a horizontal line; the values are in the next table.",
            plot_costs(sizes, cheapest, currency=currency),
            {"costs": sizes, "cheapest": cheapest},
            sources,
        ),
        build_table(
            cheapest,
            rules,
            title="Cheapest fraction of each strategy",
            sources=sources,
            note="The interval repeats the choice of the fraction in every bootstrap sample; "
            "chosen again: how often it came out the same. Where the curve is flat, a larger "
            "fraction is nearly as cheap, and easier to recruit and to generalize from.",
        ),
    )
    return Section("Costs", blocks)
