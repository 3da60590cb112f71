"""A protocol stated in one call, with keyword arguments for its keys."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from cohorts.entrances import Names, entrance
from trialsim.analysis.inference import Covariance, DegreesOfFreedom, StandardError
from trialsim.design import OutcomeSource
from trialsim.events import Rate
from trialsim.study.keys import KEYS
from trialsim.study.protocol import Protocol
from trialsim.study.question import build_stated
from trialsim.units import Unit


@entrance
def protocol(
    cohort: str | Path,
    *,
    training: str | Path | None = None,
    title: str | None = None,
    seed: int | None = None,
    output: str | Path | None = None,
    column_map: Mapping[str, str] | None = None,
    age_unit: Literal["years", "months", "hundredths"] | None = None,
    sex_coding: str | Mapping[str, str] | None = None,
    diagnosis_coding: str | Mapping[str, str] | None = None,
    diagnosis: str | None = None,
    top_coded_age: float | None = None,
    missing: str | Sequence[str | int | float] | None = None,
    ignore: Names | None = None,
    profile: str | Path | None = None,
    pipeline: str | None = None,
    bids_filters: Mapping[str, Mapping[str, str | int | Sequence[str | int] | None]] | None = None,
    quarantine: bool | None = None,
    measured_by: str | None = None,
    harmonize: Literal["linear", "combat", "as_measured"] | None = None,
    harmonize_by: Names | None = None,
    measured_twice: str | Path | None = None,
    window_months: float | None = None,
    eligibility: Names | None = None,
    model: str | Path | None = None,
    context_from: str | Path | None = None,
    horizons_months: Sequence[float] | None = None,
    samples: int | Literal["auto"] | None = None,
    device: str | None = None,
    save_images: bool | None = None,
    measure: bool | None = None,
    segmentations: str | Path | None = None,
    until_months: float | None = None,
    tolerance_percent: float | None = None,
    sampler: Literal["ddim", "dpm-solver++"] | None = None,
    num_inference_steps: int | None = None,
    precision: Literal["auto", "full", "bf16"] | None = None,
    batch_size: int | None = None,
    memory_gb: float | None = None,
    threads: int | None = None,
    strategies: Names | None = None,
    scores: str | Path | None = None,
    predictions: str | Path | None = None,
    fractions_enrolled: Sequence[float] | None = None,
    folds: int | None = None,
    n_selected: Sequence[int] | None = None,
    truth: Literal["auto", "latent", "measured"] | None = None,
    top_fraction: float | None = None,
    rate_below: float | None = None,
    decline_unit: Literal["percent", "mm3"] | None = None,
    horizon_months: float | None = None,
    endpoint: str | None = None,
    unit: Unit | None = None,
    visits_months: Sequence[float] | None = None,
    arms: Names | None = None,
    allocation_ratio: float | None = None,
    alpha: float | None = None,
    sides: Literal[1, 2] | None = None,
    target_power: float | None = None,
    slowing: float | None = None,
    relative_to: Literal["all decline", "decline above normal ageing"] | None = None,
    normal_change_per_year: float | None = None,
    effect: Literal["slope", "offset"] | None = None,
    effect_model: Literal["shift", "proportional"] | None = None,
    outcomes: OutcomeSource | None = None,
    trajectories: Literal["resampling", "parametric"] | None = None,
    decline_mean: float | None = None,
    decline_sd: float | None = None,
    baseline_sd: float | None = None,
    baseline_correlation: float | None = None,
    noise_sd: float | None = None,
    score_correlation: float | Mapping[str, float] | None = None,
    dropout: Rate | Mapping[str, Rate] | None = None,
    discontinuation: Rate | Mapping[str, Rate | str] | None = None,
    adverse_event: Rate | Mapping[str, Rate | str] | None = None,
    death: Rate | Mapping[str, Rate | str] | None = None,
    effect_lost_per_year: float | None = None,
    unreadable: Rate | None = None,
    sites: int | Mapping[str, float | str] | None = None,
    onset_months: float | None = None,
    pseudo_atrophy: float | None = None,
    pseudo_atrophy_months: float | None = None,
    composite_worst: float | None = None,
    imputed_delta: float | None = None,
    calibration: Mapping[str, object] | None = None,
    analyses: Names | None = None,
    common_baseline: bool | None = None,
    degrees_of_freedom: DegreesOfFreedom | None = None,
    covariance: Covariance | None = None,
    standard_error: StandardError | None = None,
    currency: str | None = None,
    screening: float | None = None,
    participant: float | None = None,
    visit: float | None = None,
    per_month: float | None = None,
    screening_rate_per_month: float | None = None,
    opening_months: float | None = None,
    screening_months: float | None = None,
    failure_rate: float | None = None,
    accrual: Mapping[str, float] | None = None,
    optimize: Mapping[str, object] | None = None,
    interim: Mapping[str, object] | None = None,
    sample_sizes: Sequence[int] | None = None,
    n_simulations: int | None = None,
    n_bootstrap: int | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    parts: str | None = None,
    private: bool | None = None,
) -> Protocol:
    """Return a protocol; what is left out (None) takes the default of `Protocol`.

    Relative paths are relative to the working folder.

    Parameters
    ----------
    cohort
        The screened people: a cohort folder, a BIDS dataset or a table.
    training
        Another cohort with follow-up, to fit strategies on; without it they are cross-fitted.
    title, seed, output
        The study's name, the seed of everything random (0 to 2^63 - 1), its folder.
    column_map, age_unit, sex_coding, diagnosis_coding, diagnosis, top_coded_age, missing, ignore
        How a source is read, see `load_cohort`.
    profile, pipeline, bids_filters
        The same: a known table's name or a file, the folder of segmentations, filters of files.
    quarantine
        Whether people with bad data are left out and listed.
    measured_by
        The tool whose volumes count, where several measured one visit.
    harmonize, harmonize_by, measured_twice
        How volumes of other tools become those of the screened people's, which columns make one
        tool several (`["field_strength"]`), and a table of people whom both measured.
    window_months
        How far a visit may be from the planned time that it stands for, months (0 to 60).
    eligibility
        Criteria such as "age_years between 55 and 85", in the order in which they are checked.
    model, horizons_months, samples, device, save_images
        How brains are predicted: "mini" or a model folder, months after baseline (above 0), draws
        a person (1 to 1024, or "auto"). With none of these no scan is read.
    context_from
        "image_regression", or the folder of a fitted baseline: it tells the model's context how the
        endpoint changes, in place of the auxiliary model, which reads tables alone.
    measure, segmentations, until_months, tolerance_percent
        Whether predicted scans are measured, or where your label maps of them are; the latest visit
        that may be used (0 to 600 months); where "auto" stops (0 to 100 percent).
    sampler, num_inference_steps, precision, batch_size, memory_gb, threads
        How it is computed, see `PredictionSection`; a GPU's memory in GB.
    strategies
        Names of built-in strategies, or of columns of `scores`.
    scores, predictions
        Files with your own scores, and with volumes predicted elsewhere.
    fractions_enrolled
        Shares of the screened people, above 0 and at most 1.
    folds
        For cross-fitting, 2 to 50.
    n_selected
        Numbers of people at which capture rates are measured.
    truth
        The decline that strategies are judged by.
    top_fraction, rate_below
        Who is a fast progressor: this share (0 to 1), or a change a year below this (negative).
    decline_unit, horizon_months
        Unit of that decline, and when it is measured (months).
    endpoint, unit
        The region that is followed, in mm3 or in log_percent (100 x the logarithm of the volume).
    visits_months
        Months of the visits, from 0.
    arms
        Their names, control first.
    allocation_ratio
        Treatment : control.
    alpha, sides, target_power
        Total type I error (0 to 1), 1 or 2 sides, the power that sample sizes are sought for.
    slowing, relative_to, normal_change_per_year, effect, effect_model
        The treatment's effect, see `TrialDesign`.
    outcomes, trajectories
        Whose outcomes become trials, and how they are drawn.
    decline_mean, decline_sd, baseline_sd, baseline_correlation, noise_sd, score_correlation
        What outcomes are assumed to be, for outcomes "assumed"; see `AssumedDecline`.
    dropout, unreadable
        The share that leaves, the share of scans after baseline that cannot be read: one number by
        the last visit, or one for each visit after baseline, each from 0 to below 1.
    discontinuation, adverse_event, death
        Intercurrent events: such a share, or a mapping of `control`, `treatment`, `strategy` and
        `shift`, see `Event`.
    effect_lost_per_year, onset_months, pseudo_atrophy, pseudo_atrophy_months
        What becomes of the effect after treatment stops (0 to 1), when it begins, what the
        treatment takes off first and until when, see `TrialDesign`.
    composite_worst, imputed_delta, calibration
        What an event counts as in a composite, what is added to what is imputed for treated people
        who left, and how predictions err where no archive tells, see `TrialDesign`.
    sites
        Their number, or a mapping of `n`, `sd`, `change_sd`, `randomization` and `effect`, see
        `Sites`.
    analyses, common_baseline
        What is fitted.
    degrees_of_freedom, covariance, standard_error
        How mixed models judge the effect, see `TrialDesign`.
    currency, screening, participant, visit, per_month
        Costs of a person screened, a person enrolled, a visit after baseline, a month.
    screening_rate_per_month, opening_months, screening_months, failure_rate
        People screened a month, months until all sites are open, months from screening to
        randomization; the share of those chosen who cannot be enrolled.
    accrual
        Sites and their rates instead, see `AccrualPlan`: `{"sites": 40,
        "screened_per_site_per_month": 1.5}`.
    optimize
        The designs that `optimize` searches, see `SearchRanges`: `{"run_in_months": [6, 12]}`.
    interim
        Looks at the data, see `InterimPlan`: `{"looks": [0.5, 1]}`.
    sample_sizes
        People in both arms together, at least two numbers of at least 4.
    n_simulations, n_bootstrap, workers
        Trials at each point (at least 100), bootstrap samples of people behind the intervals of
        sizes and costs, threads.
    cluster, parts
        Where else work is done: "local", the address of a Dask scheduler, or a TOML file; and the
        address of fsspec where its parts are kept ("s3://bucket/parts").
    private
        Whether what is written is for its owner alone.

    Returns
    -------
    Protocol
        Checked as a whole, with absolute paths.

    Raises
    ------
    DesignError
        One sentence for each value that cannot be.

    Examples
    --------
    >>> import trialsim as ts
    >>> asked = ts.protocol(cohort="screened", slowing=0.3, rate_below=-3.0)
    >>> asked.design.slowing, asked.selection.fast_progressor.top_fraction
    (0.3, None)
    """
    stated = dict(locals())
    return build_stated({KEYS[name]: value for name, value in stated.items()})
