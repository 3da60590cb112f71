"""`trialsim model calibrate`: intervals of predicted volumes that hold the truth."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from trialsim.cli.answering.progress import count_items
from trialsim.cli.asking.recording import HorizonsOption, MeasuredByOption, QuietOption, SeedOption


def calibrate(
    model: Annotated[str, typer.Argument(help="mini, the bundled model, or a model folder.")],
    on: Annotated[
        Path,
        typer.Option(help="Cohort with scans and later volumes, of people who judge nothing else."),
    ],
    out: Annotated[Path, typer.Option("--out", "--output", help="The model folder to write.")],
    horizon: HorizonsOption = [24.0, 48.0],  # noqa: B006
    samples: Annotated[int, typer.Option(min=2, help="Draws for each person and horizon.")] = 4,
    gain: Annotated[
        bool,
        typer.Option(
            help="Estimate also the share of a true change that predicted scans show, with its "
            "interval; leave it out for people of anatomies that training read.",
        ),
    ] = True,
    shown_weight: Annotated[
        bool,
        typer.Option(
            help="Weigh the change that predicted scans show with the one that their context is "
            "told, as comes nearest to what became of these people.",
        ),
    ] = True,
    guidance: Annotated[
        list[float] | None,
        typer.Option(
            min=0,
            max=100,
            help="Weights of the context (1: the network's own answer), of which the one that "
            "ranks these people best is taken, where it is surely better; give it once for each. "
            "Only for networks trained with context dropout.",
        ),
    ] = None,
    context_from: Annotated[
        Path | None,
        typer.Option(
            help="image_regression, or the folder of a baseline that expects a change: it tells "
            "the context, as it will where the copy predicts."
        ),
    ] = None,
    measured_by: MeasuredByOption = None,
    seed: SeedOption = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1 ...")] = "cpu",
    quiet: QuietOption = False,
) -> None:
    """Measure on other people what the draws leave out of a prediction's error; keep it in a copy.

    The auxiliary model and the segmenter err alike in every draw, so the spread of the draws alone
    is too narrow an interval. The copy's `volume_sd_mm3` has that error in it. Predicted changes
    are divided by the share of a true change that predicted scans of these people show; a region
    whose share may be under 0.3 is left out of the copy. They are then weighed with the changes
    that the context is told, as these people say what a scan adds to those and what is its own
    error. The same command goes on where it was interrupted. With `--guidance`, how much the
    context weighs is chosen before all of this.

    Example: trialsim model calibrate mini --on training_cohort --out calibrated
    """
    import numpy as np

    from brlp_models.baselines.context import ContextBaseline
    from brlp_models.evaluation.calibration.gain import (
        apply_gain,
        describe_left_out,
        describe_measurement,
        measure_gain,
    )
    from brlp_models.evaluation.calibration.guidance import (
        choose_guidance,
        compare_guidance,
        describe_guidance,
    )
    from brlp_models.evaluation.calibration.shown_weight import (
        describe_shown_weight,
        estimate_shown_weight,
        weigh_by_others,
    )
    from brlp_models.evaluation.calibration.volume_error import (
        describe_volume_error,
        fit_draw_sd,
        fit_volume_error,
        predict_calibration_people,
        refuse_few_people,
    )
    from brlp_models.evaluation.evaluated_people import EvaluatedCohort
    from brlp_models.model.calibrated_card import render_calibrated_card
    from brlp_models.model.calibrated_context import apply_calibration, keep_calibration
    from brlp_models.model.files import CARD
    from brlp_models.model.folder import copy_model_folder, load_model, refuse_existing
    from brlp_models.model.training_people import (
        CALIBRATION_PEOPLE,
        describe_calibration_people,
        refuse_people_trained_on,
    )
    from cohorts.sources.loading import load_cohort
    from cohorts.volumes.measurement import tell_learned

    refuse_existing(out)
    loaded = load_model(model, device=device, precision="auto")
    people = load_cohort(on, measured_by=measured_by)
    teller = ContextBaseline.load_for(context_from, loaded.config, people, horizon)
    learned = [(loaded.config.name, loaded.config.learned_from)]
    if teller is not None:
        learned.append((teller.baseline.config.name, teller.baseline.config.learned_from))
        typer.echo(teller.describe(), err=True)
    for name, measured_before in learned:
        if (told := tell_learned(name, measured_before, people)) is not None:
            typer.echo(told, err=True)
    unfinished = out.with_name(f"{out.name}.partial")
    evaluated = EvaluatedCohort(people, on)
    refuse_people_trained_on(loaded, people)
    refuse_few_people(evaluated, horizon)
    identity = None if teller is None else teller.identity
    config, found_guidance, found_gain = apply_calibration(loaded.config, identity), [], []
    weights: dict[str, float] = {}
    if guidance:
        n_weights = len({config.guidance, *guidance})
        with count_items("predicting", n_weights * len(people.participants), quiet=quiet) as step:
            ranked = compare_guidance(
                replace(loaded, config=config),
                evaluated,
                unfinished / "guidance",
                values=guidance,
                horizon_months=max(horizon),
                samples=samples,
                seed=seed,
                context_from=teller,
                on_progress=step,
            )
        chosen = choose_guidance(ranked)
        found_guidance = describe_guidance(ranked, chosen)
        typer.echo("\n".join(found_guidance))
        config = config.model_copy(update={"guidance": chosen})
    weighed = {"guidance": config.guidance}
    if gain:
        with count_items("predicting", len(people.participants), quiet=quiet) as step:
            found = measure_gain(
                replace(loaded, config=loaded.config.model_copy(update=weighed)),
                evaluated,
                unfinished / "gain",
                horizon_months=max(horizon),
                samples=samples,
                seed=seed,
                endpoint_alone=teller is not None,
                on_progress=step,
            )
        config = apply_gain(loaded.config, found).model_copy(update=weighed)
        typer.echo(found.round(3).to_string(index=False))
        found_gain = [describe_measurement(found), *describe_left_out(found)]
        typer.echo("\n".join(found_gain))
    total = len(people.participants) * len(horizon)
    with count_items("predicting", total, quiet=quiet) as step:
        compared = predict_calibration_people(
            replace(loaded, config=config),
            evaluated,
            unfinished / "error",
            horizons_months=horizon,
            samples=samples,
            seed=seed,
            context_from=teller,
            on_progress=step,
        )
    found_weight, anatomies = [], evaluated.find_anatomies()
    if shown_weight:
        found = estimate_shown_weight(
            compared, rng=np.random.default_rng(seed), anatomies=anatomies
        )
        weights = {str(row.region): float(str(row.value)) for row in found.itertuples()}
        found_weight = describe_shown_weight(found)
        compared = weigh_by_others(compared, anatomies)
    errors, draw_sd = fit_volume_error(compared), fit_draw_sd(compared, samples)
    measures = {"volume_error": errors, "draw_sd": draw_sd, "shown_weight": weights}
    config = config.model_copy(update=measures)
    told_errors = describe_volume_error(
        compared, rng=np.random.default_rng(seed), anatomies=anatomies
    )
    measured = [*found_guidance, *found_gain, *found_weight, *told_errors]
    texts = {
        CARD: render_calibrated_card(loaded, config, people, measured, context=identity),
        CALIBRATION_PEOPLE: describe_calibration_people(people, loaded),
    }
    whole = keep_calibration(loaded.config, identity, config)
    copied = load_model(copy_model_folder(model, out, whole, texts))
    # what was predicted is kept until the copy is there
    shutil.rmtree(unfinished)
    typer.echo("\n".join([*found_weight, *told_errors]))
    typer.echo(f"{copied.model_id} was written to {out}.")
