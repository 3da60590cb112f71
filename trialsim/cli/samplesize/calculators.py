"""`trialsim samplesize`: a calculator that needs no cohort."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

    from trialsim.analytic.point import DesignPoint, FloatArray

app = typer.Typer(
    no_args_is_help=True,
    help="Calculate sample size, power or detectable effect; leave one of the three out.",
)

Delta = Annotated[float | None, typer.Option(help="Difference between the arms.")]
Sd = Annotated[float, typer.Option(help="Standard deviation in the control arm.")]
SdTreatment = Annotated[
    float | None, typer.Option(help="Standard deviation in the treatment arm, if it differs.")
]
NControl = Annotated[float | None, typer.Option(help="Participants in the control arm.")]
Power = Annotated[float | None, typer.Option(help="Power, 0 to 1.")]
Alpha = Annotated[float, typer.Option(help="Total type I error.")]
Sides = Annotated[int, typer.Option(help="1 or 2.")]
Ratio = Annotated[float, typer.Option("--allocation-ratio", help="Treatment : control.")]
Law = Annotated[str, typer.Option("--distribution", help='"t", or "z" for the normal one.')]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Plot = Annotated[
    Path | None, typer.Option(help="Write the curve as NAME.svg and NAME.png, its data as CSV.")
]
Retention = Annotated[
    str | None, typer.Option(help="Share still in at each visit, for example 1,0.9,0.8.")
]
RetentionTreatment = Annotated[
    str | None, typer.Option(help="The same in the treatment arm, if it differs.")
]

Measured = Annotated[
    float, typer.Option("--retention", help="Share of the enrolled who are measured, 0 to 1.")
]
MeasuredTreatment = Annotated[
    float | None,
    typer.Option("--retention-treatment", help="The same in the treatment arm, if it differs."),
]


@app.command()
def means(
    sd: Sd,
    delta: Delta = None,
    sd_treatment: SdTreatment = None,
    retention: Measured = 1.0,
    retention_treatment: MeasuredTreatment = None,
    n_control: NControl = None,
    power: Power = None,
    alpha: Alpha = 0.05,
    sides: Sides = 2,
    allocation_ratio: Ratio = 1.0,
    distribution: Law = "t",
    as_json: Json = False,
    plot: Plot = None,
) -> None:
    """Compare two means, for instance of change from baseline.

    Example: trialsim samplesize means --delta 0.5 --sd 1 --power 0.8
    """
    from trialsim import analytic

    test = _test(n_control, power, alpha, sides, allocation_ratio, distribution)
    model = {"sd": sd, "sd_treatment": sd_treatment}
    model |= {"retention": retention, "retention_treatment": retention_treatment}
    _answer(analytic.means, "delta", model | test | {"delta": delta}, as_json, plot)


@app.command()
def ancova(
    sd: Sd,
    correlation: Annotated[float, typer.Option(help="Of the covariates with the outcome.")],
    delta: Delta = None,
    n_covariates: Annotated[int, typer.Option(help="Number of covariates.")] = 1,
    deflation: Annotated[
        float, typer.Option(help="Factor on a historical correlation, at most 1.")
    ] = 1.0,
    inflation: Annotated[float, typer.Option(help="Factor on a historical sd.")] = 1.0,
    retention: Measured = 1.0,
    retention_treatment: MeasuredTreatment = None,
    n_control: NControl = None,
    power: Power = None,
    alpha: Alpha = 0.05,
    sides: Sides = 2,
    allocation_ratio: Ratio = 1.0,
    distribution: Law = "t",
    as_json: Json = False,
    plot: Plot = None,
) -> None:
    """Compare two means adjusted for baseline covariates or a prognostic score.

    Example: trialsim samplesize ancova --delta 0.4 --sd 1 --correlation 0.7 --power 0.8
    """
    from trialsim import analytic

    test = _test(n_control, power, alpha, sides, allocation_ratio, distribution)
    model: dict[str, float | None] = {"sd": sd, "r_squared": correlation**2}
    model |= {"n_covariates": n_covariates}
    model |= {"deflation": deflation, "inflation": inflation}
    model |= {"retention": retention, "retention_treatment": retention_treatment}
    _answer(analytic.prognostic_ancova, "delta", model | test | {"delta": delta}, as_json, plot)


@app.command()
def slope(
    visit_times: Annotated[str, typer.Option(help="Times of the visits, for example 0,0.5,1,2.")],
    slope_variance: Annotated[float, typer.Option(help="Variance of the slopes of people.")],
    residual_variance: Annotated[float, typer.Option(help="Variance within a person.")],
    delta: Annotated[float | None, typer.Option(help="Difference in slope.")] = None,
    intercept_variance: Annotated[float, typer.Option(help="Variance of the intercepts.")] = 0.0,
    intercept_slope_covariance: Annotated[float, typer.Option(help="Of the two.")] = 0.0,
    baseline: Annotated[
        str, typer.Option(help='"free": an intercept for each arm; "common": one for both.')
    ] = "free",
    retention: Retention = None,
    retention_treatment: RetentionTreatment = None,
    n_control: NControl = None,
    power: Power = None,
    alpha: Alpha = 0.05,
    sides: Sides = 2,
    allocation_ratio: Ratio = 1.0,
    distribution: Law = "z",
    as_json: Json = False,
    plot: Plot = None,
) -> None:
    """Compare slopes in a random-slope model, with drop-out.

    Example: trialsim samplesize slope --delta 20 --visit-times 0,0.5,1,1.5,2
    --slope-variance 4900 --residual-variance 3600 --power 0.8
    """
    from trialsim import analytic

    test = _test(n_control, power, alpha, sides, allocation_ratio, distribution)
    model = {
        "visit_times": _split(visit_times),
        "slope_variance": slope_variance,
        "residual_variance": residual_variance,
        "intercept_variance": intercept_variance,
        "intercept_slope_covariance": intercept_slope_covariance,
        "baseline": baseline,
        "retention": _split(retention),
        "retention_treatment": _split(retention_treatment),
    }
    _answer(analytic.random_slope, "delta", model | test | {"delta": delta}, as_json, plot)


@app.command()
def mmrm(
    sd: Sd,
    correlation: Annotated[
        str,
        typer.Option(
            help='"ar1": it fades with distance; "exchangeable": it does not; or a CSV file with '
            "the matrix, without header."
        ),
    ] = "ar1",
    n_visits: Annotated[int, typer.Option(help="Visits after baseline, without a file.")] = 4,
    rho: Annotated[
        float, typer.Option(help="Correlation of neighboring visits, without a file.")
    ] = 0.5,
    delta: Delta = None,
    sd_treatment: SdTreatment = None,
    retention: Retention = None,
    retention_treatment: RetentionTreatment = None,
    n_control: NControl = None,
    power: Power = None,
    alpha: Alpha = 0.05,
    sides: Sides = 2,
    allocation_ratio: Ratio = 1.0,
    distribution: Law = "z",
    as_json: Json = False,
    plot: Plot = None,
) -> None:
    """Compare the last visit in a mixed model for repeated measures, with drop-out.

    Example: trialsim samplesize mmrm --delta 0.5 --sd 1 --n-visits 4 --rho 0.7
    --retention 1,0.9,0.8,0.7 --power 0.8
    """
    from trialsim import analytic

    test = _test(n_control, power, alpha, sides, allocation_ratio, distribution)
    model = {
        "sd": sd,
        "sd_treatment": sd_treatment,
        "correlation": _build_correlation(correlation, rho, n_visits),
        "retention": _split(retention),
        "retention_treatment": _split(retention_treatment),
    }
    _answer(analytic.mmrm, "delta", model | test | {"delta": delta}, as_json, plot)


@app.command()
def enrichment(
    mean_decline: Annotated[float, typer.Option(help="Mean decline without treatment.")],
    sd_decline: Annotated[float, typer.Option(help="Its standard deviation between people.")],
    score_correlation: Annotated[float, typer.Option(help="Of score and decline, everyone.")],
    slowing: Annotated[
        float | None, typer.Option(help="Share of the decline that treatment prevents.")
    ] = None,
    fraction_enrolled: Annotated[
        str, typer.Option(help="Shares of the screened people, for example 0.3,0.5,1.")
    ] = "0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1",
    normal_decline: Annotated[
        float, typer.Option(help="Decline of normal ageing, which treatment does not slow.")
    ] = 0.0,
    screening_cost: Annotated[float, typer.Option(help="Cost of a person screened.")] = 0.0,
    participant_cost: Annotated[float, typer.Option(help="Cost of a person enrolled.")] = 0.0,
    adjust_for_score: Annotated[
        bool, typer.Option(help="Adjust the analysis for the score too.")
    ] = False,
    n_control: NControl = None,
    power: Power = None,
    alpha: Alpha = 0.05,
    sides: Sides = 2,
    allocation_ratio: Ratio = 1.0,
    distribution: Law = "z",
    as_json: Json = False,
    plot: Plot = None,
) -> None:
    """Enroll the top fraction by a score: sample size, number to screen, cost of each fraction.

    The cheapest fraction is found where costs, power and slowing are given.

    Example: trialsim samplesize enrichment --mean-decline 100 --sd-decline 100
    --score-correlation 0.5 --slowing 0.25 --power 0.8 --screening-cost 1000
    --participant-cost 20000
    """
    from trialsim import analytic

    people: dict[str, Any] = {
        "mean_decline": mean_decline,
        "sd_decline": sd_decline,
        "score_correlation": score_correlation,
        "slowing": slowing,
        "normal_decline": normal_decline,
        "screening_cost": screening_cost,
        "participant_cost": participant_cost,
        "adjust_for_score": adjust_for_score,
    }
    people |= _test(n_control, power, alpha, sides, allocation_ratio, distribution)
    fractions = _split(fraction_enrolled) or []
    points = [
        analytic.prognostic_enrichment(fraction_enrolled=fraction, **people)
        for fraction in fractions
    ]
    if screening_cost + participant_cost > 0 and slowing is not None and power is not None:
        asked = {key: value for key, value in people.items() if key != "n_control"}
        points.append(analytic.optimal_fraction(**asked))
    table = _tabulate(points).sort_values("fraction_enrolled", ignore_index=True)
    if len(points) > len(fractions):
        table["is_cheapest"] = table["cost"] == table["cost"].min()
    _print(table, as_json=as_json)
    if plot is not None:
        _plot_costs(table, plot)


def _build_correlation(named: str, rho: float, n_visits: int) -> "FloatArray":
    """Return a correlation matrix by its name, or from a file."""
    import numpy as np

    from trialsim import analytic
    from trialsim.errors import DesignError

    if named in ("ar1", "exchangeable"):
        return (
            analytic.ar1(rho, n_visits) if named == "ar1" else analytic.exchangeable(rho, n_visits)
        )
    try:
        return np.loadtxt(named, delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        raise DesignError(
            f'--correlation is "ar1", "exchangeable" or a CSV file of numbers; {named} cannot be '
            f"read: {error}."
        ) from error


def _test(
    n_control: float | None,
    power: float | None,
    alpha: float,
    sides: int,
    allocation_ratio: float,
    distribution: str,
) -> dict[str, Any]:
    return {
        "n_control": n_control,
        "power": power,
        "alpha": alpha,
        "sides": sides,
        "allocation_ratio": allocation_ratio,
        "distribution": distribution,
    }


def _split(text: str | None) -> list[float] | None:
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise typer.BadParameter(f"expected numbers with commas, got {text!r}.") from error


def _answer(
    form: Callable[..., Any], effect: str, given: dict[str, Any], as_json: bool, plot: Path | None
) -> None:
    point = form(**given)
    _print(_tabulate([point]), as_json=as_json)
    if plot is not None:
        _plot_power(form, given | {effect: point.delta}, point, plot)


def _tabulate(points: "list[Any]") -> "pd.DataFrame":
    """Return one row a point, with the whole people and the rule that made them whole."""
    import pandas as pd

    table = pd.concat([point.to_frame() for point in points], ignore_index=True)
    sizes = [point.rounded() for point in points]
    whole = pd.DataFrame(
        {
            "n_control_rounded": [size.n_control for size in sizes],
            "n_treatment_rounded": [size.n_treatment for size in sizes],
            "rounding": [size.rule for size in sizes],
        }
    )
    joined: pd.DataFrame = pd.concat([table, whole], axis=1)
    return joined


def _print(table: "pd.DataFrame", *, as_json: bool) -> None:
    from trialsim.cli.printing import print_table

    if as_json:
        print_table(table, as_json=True)
        return
    print_table(table.drop(columns="rounding").round(4))
    typer.echo(f"Rounded: {table['rounding'].iloc[0]}.")


def _plot_power(
    form: Callable[..., Any], given: dict[str, Any], point: "DesignPoint", plot: Path
) -> None:
    """Write power against sample size around `point`."""
    import numpy as np

    from reports.figures import plot_power_curves
    from reports.figures.export import write_figure

    sizes = np.linspace(0.25, 2, 22) * float(point.n_control)
    sizes = sizes[sizes * min(1, given["allocation_ratio"]) >= 3 + given.get("n_covariates", 0)]
    curve = form(**given | {"n_control": sizes, "power": None}).to_frame()
    table = curve.assign(
        strategy="closed form",
        fraction_enrolled=1.0,
        analysis=form.__name__,
        power_lower=np.nan,
        power_upper=np.nan,
        closed_form_power=np.nan,
    )
    figure = plot_power_curves(table, target_power=float(point.power))
    write_figure(figure, plot.parent, plot.stem, {plot.stem: curve})


def _plot_costs(table: "pd.DataFrame", plot: Path) -> None:
    """Write cost against the fraction enrolled, or sample size where nothing costs."""
    from reports.figures import plot_costs, plot_sample_sizes
    from reports.figures.export import write_figure

    # A closed form has no error to draw.
    bands = [
        f"{column}_{bound}{suffix}"
        for column, suffix in (("cost", ""), ("n_control", ""), ("n_control", "_cohort"))
        for bound in ("lower", "upper")
    ]
    drawn = table.assign(strategy="closed form", **dict.fromkeys(bands, float("nan")))
    if table["cost"].max() == 0:
        figure = plot_sample_sizes(drawn)
    else:
        best = drawn.loc[[drawn["cost"].idxmin()]]
        flat = table.loc[table["cost"] <= 1.05 * best["cost"].iloc[0], "fraction_enrolled"]
        best = best.assign(flat_from=flat.min(), flat_to=flat.max())
        figure = plot_costs(drawn, best)
    write_figure(figure, plot.parent, plot.stem, {plot.stem: table})
