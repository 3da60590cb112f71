"""Closed forms: two means, means adjusted for covariates, slopes, the MMRM."""

from pathlib import Path
from typing import Annotated

import typer

from trialsim.cli.asking.options import Given, refuse_typed, split_numbers
from trialsim.cli.samplesize.answering import (
    Delta,
    Measured,
    MeasuredTreatment,
    Retention,
    RetentionTreatment,
    Sd,
    SdTreatment,
    answer_question,
    split_retention,
)


def means(
    sd: Sd,
    delta: Delta = None,
    sd_treatment: SdTreatment = None,
    retention: Measured = 1.0,
    retention_treatment: MeasuredTreatment = None,
    *,
    test: Given,
) -> None:
    """Compare two means, for instance of change from baseline.

    Example: trialsim samplesize means --delta 0.5 --sd 1 --power 0.8
    """
    arms = {"retention": retention, "retention_treatment": retention_treatment}
    answer_question("means", test, delta=delta, sd=sd, sd_treatment=sd_treatment, **arms)


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
    *,
    test: Given,
) -> None:
    """Compare two means adjusted for baseline covariates or a prognostic score.

    Example: trialsim samplesize ancova --delta 0.4 --sd 1 --correlation 0.7 --power 0.8
    """
    from trialsim.analytic.arguments import CORRELATION, find_problems, raise_problems

    # what was typed, before its square is refused as something else
    raise_problems(find_problems(correlation=(correlation, CORRELATION)))
    model = {"delta": delta, "sd": sd, "r_squared": correlation**2, "n_covariates": n_covariates}
    model |= {"deflation": deflation, "inflation": inflation}
    model |= {"retention": retention, "retention_treatment": retention_treatment}
    answer_question("prognostic_ancova", test, **model)


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
    *,
    test: Given,
) -> None:
    """Compare slopes in a random-slope model, with drop-out.

    Example: trialsim samplesize slope --delta 20 --visit-times 0,0.5,1,1.5,2
    --slope-variance 4900 --residual-variance 3600 --power 0.8
    """
    variances = {"slope_variance": slope_variance, "residual_variance": residual_variance}
    variances |= {"intercept_variance": intercept_variance}
    variances |= {"intercept_slope_covariance": intercept_slope_covariance}
    arms = split_retention(retention, retention_treatment)
    times = split_numbers(visit_times)
    model = {"delta": delta, "visit_times": times, "baseline": baseline}
    answer_question("random_slope", test, **model, **variances, **arms)


def mmrm(
    context: typer.Context,
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
    *,
    test: Given,
) -> None:
    """Compare the last visit in a mixed model for repeated measures, with drop-out.

    Example: trialsim samplesize mmrm --delta 0.5 --sd 1 --n-visits 4 --rho 0.7
    --retention 1,0.9,0.8,0.7 --power 0.8
    """
    from trialsim.study.calculators.closed_form import build_correlation

    if Path(correlation).is_file():
        refuse_typed(context, "rho", "n_visits", reason=f"the matrix {correlation} says both")
    model = {"delta": delta, "sd": sd, "sd_treatment": sd_treatment}
    arms = split_retention(retention, retention_treatment)
    answer_question(
        "mmrm", test, **model, **arms, correlation=build_correlation(correlation, rho, n_visits)
    )
