"""How well the scores predict, out of sample; which scans the model could read."""

import pandas as pd

from cohorts.counting import tally
from reports.figures import plot_capture_rates, plot_predicted_versus_observed
from reports.figures.labels import covariate_label, label_text, strategy_label
from reports.page.columns import build_table, number, with_interval, words
from reports.page.content import Block, Picture, Section, Table
from reports.page.formats import (
    show_count,
    show_decimals,
    show_p_value,
    show_share,
    show_tally,
    show_text,
)
from reports.page.gather import StudyFacts
from reports.page.privacy import Privacy
from reports.page.sections.gaps import describe_gap
from reports.page.sections.people.scan_checks import describe_scan_checks
from reports.page.units import show_decline_unit, show_region
from reports.store import queries

_METRICS = {
    "r_squared": "R²",
    "spearman": "Spearman correlation",
    "pearson": "Pearson correlation",
    "calibration_slope": "Calibration slope",
    "calibration_intercept": "Calibration intercept",
    "auc": "AUC for fast progressors",
    "missing_score_rate": "Share of missing scores",
}
_IN_UNIT_OF_DECLINE = "calibration_intercept"
_SHARE_MISSING = "missing_score_rate"
_EVERYONE = ("all", "everyone")
_MOST_POINTS = 1500
_LATER = ", from the next visit on"


def describe_prediction(facts: StudyFacts, privacy: Privacy) -> Section:
    """Return measures of prediction with intervals, capture rates, calibration, scan checks."""
    blocks: list[Block] = []
    if facts.has("predictor_performance"):
        blocks += _performance(facts, privacy)
    if facts.has("predicted_changes"):
        blocks.append(_scatter(facts))
    if facts.has("capture_rates"):
        blocks += _capture(facts)
    if facts.has("scores"):
        blocks.append(_coverage(facts, privacy))
    if facts.has("predictions"):
        blocks.append(_predictions(facts, privacy))
    if facts.has("prediction_images", "predictions"):
        # what reads scans takes a fifth of a page's imports, and most studies have none
        from reports.page.sections.people.scans import describe_scans

        blocks += describe_scans(facts, privacy)
    if facts.has("scan_checks"):
        blocks += describe_scan_checks(facts, privacy)
    blocks += describe_gap(facts, "scores", "predictor_performance", "capture_rates")
    return Section("How good the prediction is", tuple(blocks))


def metric_label(metric: str) -> str:
    """Return the words for a measure: `auc` is `AUC for fast progressors`."""
    return _METRICS.get(metric) or label_text(metric.replace("_", " "), limit=80)


def _metric_title(facts: StudyFacts, metric: str) -> str:
    unit = show_decline_unit(facts.describe("predictor_performance").decline_unit)
    of_unit = f", {unit}" if unit and metric == _IN_UNIT_OF_DECLINE else ""
    return metric_label(metric) + of_unit


def _performance(facts: StudyFacts, privacy: Privacy) -> list[Block]:
    table = facts.tables["predictor_performance"]
    whole = table["subgroup"].isin(_EVERYONE)
    note = (
        "95 % intervals in brackets. Anything fitted on outcomes is judged on people it was not "
        "fitted on (cross-fitting), which is the correction for optimism."
    )
    of_whom = _tell_of_whom(facts, "predictor_performance")
    if of_whom:
        note += " Nobody screened was followed: all are people of the archive."
    blocks: list[Block] = []
    if whole.any():
        judged = show_tally(table.loc[whole, "n"].max(), "people")
        title = f"Measures of prediction in {judged}{of_whom}"
        blocks.append(_measures(facts, table[whole], title=title, note=note))
    if not whole.all():
        n_people = int(table.loc[whole, "n"].max()) if whole.any() else 0
        blocks.append(_subgroups(facts, table[~whole], n_people, privacy))
    return blocks


def _measures(
    facts: StudyFacts, rows: pd.DataFrame, *, title: str, note: str, by_people: bool = False
) -> Table:
    """Return a line for each strategy, of everyone or by subgroups of people."""
    metrics = list(dict.fromkeys(rows["metric"]))
    lines = ["subgroup", "n", "strategy"] if by_people else ["strategy"]
    wide = rows.pivot_table(
        index=lines,
        columns="metric",
        values=["value", "value_lower", "value_upper"],
        sort=False,
        dropna=False,
        observed=True,
    )
    wide.columns = pd.Index([" ".join(map(str, pair)) for pair in wide.columns])
    rules = [words("strategy", "Strategy", strategy_label)]
    if by_people:
        rules = [words("subgroup", "People", covariate_label), number("n", "n", show_count), *rules]
    for metric in metrics:
        low, high = f"value_lower {metric}", f"value_upper {metric}"
        form = show_share if metric == _SHARE_MISSING else show_decimals
        rules.append(
            with_interval(f"value {metric}", low, high, _metric_title(facts, metric), form)
        )
    return build_table(
        wide.dropna(how="all").reset_index(),
        rules,
        title=title,
        sources=facts.sources("predictor_performance"),
        note=note,
    )


def _tell_of_whom(facts: StudyFacts, table: str) -> str:
    """Return the words for whom strategies were judged on; none for the screened people."""
    judged_on = facts.config(facts.writers[table]).get("judged_on")
    return " of the archive" if judged_on == "archive" else ""


def _subgroups(facts: StudyFacts, rows: pd.DataFrame, n_people: int, privacy: Privacy) -> Table:
    def hide(counts: "pd.Series[float]") -> "pd.Series[bool]":
        """Hide what would tell how many are in a small subgroup of its kind, listed or not."""
        rest = pd.Series({-1: max(0, n_people - int(counts.sum()))})
        return privacy.hide_line(pd.concat([counts, rest])).loc[counts.index]

    kind = rows["subgroup"].astype(str).str.split().str[0]
    lines = rows.reset_index(drop=True).groupby(
        [kind.to_numpy(), "strategy", "metric"], sort=False
    )["n"]
    small = lines.transform(hide).astype(bool).to_numpy()
    note = (
        f"Subgroups of fewer than {tally(privacy.least, 'people')} are left out, and others of "
        "their kind that would give them away."
        if any(small)
        else ""
    )
    title = f"Measures of prediction in subgroups{_tell_of_whom(facts, 'predictor_performance')}"
    return _measures(facts, rows[~small], title=title, note=note, by_people=True)


def _scatter(facts: StudyFacts) -> Picture:
    changes = facts.tables["predicted_changes"]
    # enough to see the shape; a page has no room for a hundred thousand points
    people = changes["participant_id"].drop_duplicates()
    step = max(1, len(people) // _MOST_POINTS)
    shown = changes[changes["participant_id"].isin(set(people.iloc[::step]))]
    shown = facts.order_strategies(_without_people(shown))
    part = "" if step == 1 else f"; one person in {step} is drawn"
    truth = ", ".join(sorted(set(changes["truth"])))
    endpoint = facts.describe("predicted_changes").endpoint
    return Picture(
        "predicted-versus-observed",
        f"Predicted against observed change of the volume of the {show_region(endpoint)}, percent "
        f"of the volume at baseline ({truth} truth){_tell_of_whom(facts, 'predicted_changes')}"
        f"{part}",
        "One scatter plot for each strategy, with the line of equality and the calibration line.",
        plot_predicted_versus_observed(shown, _calibration(facts)),
        {"predicted_changes": _without_people(changes)},
        facts.sources("predicted_changes", "predictor_performance"),
    )


def _without_people(changes: pd.DataFrame) -> pd.DataFrame:
    """Return the points of the figure, in an order that says nothing of whose they are."""
    values = changes.drop(columns="participant_id")
    return values.sort_values(list(values.columns), ignore_index=True)


def _calibration(facts: StudyFacts) -> pd.DataFrame | None:
    if not facts.has("predictor_performance"):
        return None
    table = facts.tables["predictor_performance"]
    whole = table[table["subgroup"].isin(_EVERYONE)]
    wide = whole.pivot_table(index="strategy", columns="metric", values="value")
    if not {"calibration_slope", "calibration_intercept"} <= set(wide.columns):
        return None
    names = {"calibration_slope": "slope", "calibration_intercept": "intercept"}
    return wide.rename(columns=names)[list(names.values())].dropna().reset_index()


def _capture(facts: StudyFacts) -> list[Block]:
    table = facts.tables["capture_rates"]
    sources = facts.sources("capture_rates")
    of_whom = _tell_of_whom(facts, "capture_rates")
    blocks: list[Block] = []
    for place, ((definition, truth), rows) in enumerate(table.groupby(["definition", "truth"])):
        blocks.append(
            Picture(
                "capture-rate" if not place else f"capture-rate-{place + 1}",
                f"Share of the fastest progressors{of_whom} captured "
                f"({_name_definition(str(definition))}; {truth} truth), bands: 95 % intervals",
                "Capture rate against the number of people selected, one panel a strategy, and the "
                "rate expected by chance; the values are in the appendix.",
                plot_capture_rates(rows),
                {"capture_rates": rows},
                sources,
            )
        )
    middle = sorted(set(table["n_selected"]))[table["n_selected"].nunique() // 2]
    shown = table[table["n_selected"] == middle]
    title = f"Capture rates with {show_tally(middle, 'people')}{of_whom} selected"
    return [*blocks, build_capture_rates(facts, shown, title=title)]


def build_capture_rates(facts: StudyFacts, rows: pd.DataFrame, *, title: str) -> Table:
    """Return rows of `capture_rates` as a table."""
    rules = [
        words("strategy", "Strategy", strategy_label),
        number("n_selected", "Selected", show_count),
        number("n_evaluated", "Evaluated", show_count),
        with_interval(
            "capture_rate",
            "capture_rate_lower",
            "capture_rate_upper",
            "Capture rate (95 % interval)",
            show_share,
        ),
        number("chance_rate", "Chance", show_share),
        number("chance_p_value", "p (adjusted)", show_p_value),
        words("definition", "Fast progressor", _name_definition),
        words("truth", "Truth"),
    ]
    note = (
        "Chance: drawing the same number without replacement. p: one-sided; adjusted over all "
        "strategies and sizes by permuting what became of people."
    )
    sources = facts.sources("capture_rates")
    return build_table(rows, rules, title=title, sources=sources, note=note)


def _name_definition(definition: str) -> str:
    """Return who counts as a fast progressor, with the unit and the first visit in words."""
    name, _, later = definition.partition(_LATER)
    *first, unit = name.split(", ")
    # a yearly change has its unit in the middle
    known = show_decline_unit(unit)
    said = ", ".join([*first, f"in {known}"]) if known else name
    since = "" if name == definition else ", counted from the visit after baseline"
    return label_text(f"{said}{since}{later}", limit=120)


def _coverage(facts: StudyFacts, privacy: Privacy) -> Table:
    coverage = facts.order_strategies(facts.ask(queries.SCORE_COVERAGE, "scores"))
    n_people = len(facts.tables.get("participants", ())) or coverage["n_people"].max()
    rules = [
        words("strategy", "Strategy", strategy_label),
        number("n_people", "People", lambda n: privacy.show_part(n, n_people)),
        number("n_missing", "Without a score", privacy.show_people),
        number("n_folds", "Folds of cross-fitting", show_count),
    ]
    note = (
        "Of the screened people, who are scored by what was fitted on the whole archive; only the "
        "archive, on which strategies are judged, has folds."
        if facts.has("capture_rates") and _tell_of_whom(facts, "capture_rates")
        else ""
    )
    sources = facts.sources("scores")
    return build_table(coverage, rules, title="Scores", sources=sources, note=note)


def _predictions(facts: StudyFacts, privacy: Privacy) -> Table:
    summary = facts.ask(queries.PREDICTION_SUMMARY, "predictions")
    n_people = len(facts.tables.get("participants", ())) or summary["n_people"].max()
    rules = [
        words("model_id", "Model", lambda v: show_text(v, limit=80)),
        words("region", "Region", show_region),
        number("horizon_months", "Horizon, months", lambda months: f"{months:g}"),
        number("n_people", "People", lambda n: privacy.show_part(n, n_people)),
        number("n_samples", "Samples a person", show_count),
        number("mean_change_percent", "Predicted change, mean, %", show_decimals),
        number("sd_change_percent", "SD between people, %", show_decimals),
        number("mean_uncertainty_percent", "Uncertainty within a person, SD, %", show_decimals),
    ]
    measured = [name for name in summary.columns if name.endswith("_percent")]
    small = summary["n_people"].map(privacy.hides).astype(bool)
    summary[measured] = summary[measured].mask(small)
    note = _tell_context(facts.describe("predictions").context_from)
    sources = facts.sources("predictions")
    return build_table(summary, rules, title="Predicted volumes", sources=sources, note=note)


def _tell_context(baseline: str | None) -> str:
    if baseline is None:
        return ""
    return (
        f"In the model's context the endpoint is what {show_text(baseline, limit=80)} expects, in "
        "place of what its auxiliary model expects from the table."
    )
