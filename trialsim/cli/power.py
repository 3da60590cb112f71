"""`trialsim power`: what power and sample size each choice of people gives."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trialsim.cli.recording import (
    DEFAULT_STUDY,
    CohortArgument,
    JsonOption,
    QuietOption,
    SeedOption,
    StudyOption,
)

if TYPE_CHECKING:
    import pandas as pd

    from trialsim.simulation.comparison import Comparison, Progress

_SIZES = "50,100,150,200,250,300,350,400,450,500,550,600"


def power(
    cohort: CohortArgument = None,
    study: StudyOption = DEFAULT_STUDY,
    design: Annotated[
        Path | None,
        typer.Option(help="TOML file with a table called design, one called costs beside it."),
    ] = None,
    visits_months: Annotated[
        str | None, typer.Option(help="Months of the visits, from 0, for example 0,6,12,24.")
    ] = None,
    endpoint: Annotated[str | None, typer.Option(help="Region whose volume is followed.")] = None,
    unit: Annotated[str | None, typer.Option(help="mm3 or percent.")] = None,
    allocation_ratio: Annotated[float | None, typer.Option(help="Treatment : control.")] = None,
    alpha: Annotated[float | None, typer.Option(help="Total type I error.")] = None,
    sides: Annotated[int | None, typer.Option(help="1 or 2.")] = None,
    target_power: Annotated[
        float | None, typer.Option(help="Power that a sample size is searched for.")
    ] = None,
    slowing: Annotated[
        float | None, typer.Option(help="Share of the decline that the treatment prevents.")
    ] = None,
    relative_to: Annotated[
        str | None, typer.Option(help='"all decline" or "decline above normal ageing".')
    ] = None,
    normal_change_per_year: Annotated[
        float | None,
        typer.Option(help="Change a year in normal ageing; left out, that of the cohort's CN."),
    ] = None,
    dropout: Annotated[
        float | None, typer.Option(help="Share of each arm that has left by the last visit.")
    ] = None,
    outcomes: Annotated[str | None, typer.Option(help="resampling or parametric.")] = None,
    analyses: Annotated[
        str | None,
        typer.Option(help="Of change, ancova, ancova_score, random_slope, mmrm; with commas."),
    ] = None,
    strategies: Annotated[
        str, typer.Option(help="Strategies, with commas.")
    ] = "random,baseline_volume,regression",
    scores: Annotated[
        Path | None, typer.Option(help="CSV of scores: participant_id, one column a strategy.")
    ] = None,
    fractions_enrolled: Annotated[
        str, typer.Option(help="Shares of the screened people, with commas.")
    ] = "0.25,0.5,0.75,1",
    sample_sizes: Annotated[
        str, typer.Option(help="People in both arms together, with commas.")
    ] = _SIZES,
    screening: Annotated[float | None, typer.Option(help="Cost of a person screened.")] = None,
    participant: Annotated[float | None, typer.Option(help="Cost of a person enrolled.")] = None,
    n_simulations: Annotated[int, typer.Option(help="Trials simulated at each point.")] = 5000,
    n_bootstrap: Annotated[
        int, typer.Option(help="Bootstrap samples of people for the error of the cohort; 0: none.")
    ] = 100,
    workers: Annotated[
        int | None, typer.Option(help="Threads; all cores when left out. Same results with any.")
    ] = None,
    seed: SeedOption = 1,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the tables (CSV) and the figures.")
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Simulate the trials of each strategy: power, type I error, sample size, cost.

    Simulation stands beside the closed form where there is one. Options of the design override
    those of the --design file. Tables go to the study file.

    Example: trialsim power cohort --visits-months 0,12,24 --slowing 0.3 --output power
    """
    from trialsim.cli.recording import load_screened, recorded_run
    from trialsim.design import read_plan
    from trialsim.simulation.cohort_power import PowerQuestion, simulate_cohort

    stated: dict[str, Any] = {
        "visits_months": _split(visits_months, float),
        "endpoint": endpoint,
        "unit": unit,
        "allocation_ratio": allocation_ratio,
        "alpha": alpha,
        "sides": sides,
        "target_power": target_power,
        "slowing": slowing,
        "relative_to": relative_to,
        "normal_change_per_year": normal_change_per_year,
        "dropout": dropout,
        "outcomes": outcomes,
        "analyses": _split(analyses, str),
    }
    prices_stated = {"screening": screening, "participant": participant}
    plan, prices = read_plan(design, stated, prices_stated)
    question = PowerQuestion(
        strategies=_split(strategies, str) or [],
        score_file=scores,
        fractions_enrolled=_split(fractions_enrolled, float) or [],
        sample_sizes=_split(sample_sizes, int) or [],
        n_simulations=n_simulations,
        n_bootstrap=n_bootstrap,
        seed=seed,
        workers=workers,
    )
    people = load_screened(cohort, study)
    config = {"design": plan.to_dict(), "costs": vars(prices), "simulation": vars(question)}
    files = [path for path in (design, scores) if path is not None]
    with recorded_run(study, config=config, cohort=people, seed=seed, inputs=files) as run:
        with show_progress(quiet=quiet) as advance:
            found = simulate_cohort(
                people,
                plan,
                prices,
                question,
                predictions=read_predictions(study),
                latent_volumes=read_latent_volumes(cohort),
                on_progress=advance,
            )
        for name, table in found.tables.items():
            run.write(name, table)
        run.note(notes=found.notes)
    if output is not None:
        from trialsim.cli.power_files import write_power

        write_power(found, output, plan, prices.currency)
    report(found, as_json=as_json, quiet=quiet)


def _split(text: str | None, kind: type[Any]) -> list[Any] | None:
    if text is None:
        return None
    try:
        return [kind(part.strip()) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise typer.BadParameter(f"expected {kind.__name__}s with commas, got {text!r}.") from error


@contextmanager
def show_progress(*, quiet: bool) -> "Iterator[Progress]":
    """Show a bar on stderr while the block runs; give what moves it."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True, disable=quiet) as bar:
        task = bar.add_task("Simulating")

        def advance(done: int, total: int, name: str) -> None:
            bar.update(task, completed=done, total=total, description=f"Simulating: {name}")

        yield advance


def read_predictions(study: Path) -> "pd.DataFrame | None":
    """Return the predictions that the study holds, if any."""
    from reports.store.study import Study

    if not study.exists():
        return None
    with Study.open(study, read_only=True) as opened:
        written = set(opened.tables()["table_name"])
        return opened.read("predictions") if "predictions" in written else None


def read_latent_volumes(cohort: Path | None) -> "pd.DataFrame | None":
    """Return the noise-free volumes of a synthetic cohort, if the folder holds them."""
    from cohorts.synthetic.truth import read_true_volumes

    return None if cohort is None else read_true_volumes(cohort)


def report(found: "Comparison", *, as_json: bool, quiet: bool) -> None:
    """Print the power nearest the target, then sample sizes; what to know goes to stderr."""
    import json

    from trialsim.cli.printing import print_table

    if not quiet:
        for note in found.notes:
            typer.echo(f"Note: {note}", err=True)
    if as_json:
        tables = {name: json.loads(table.to_json(orient="records"))
                  for name, table in found.tables.items()}  # fmt: skip
        typer.echo(json.dumps({**tables, "notes": list(found.notes)}, indent=2))
        return
    typer.echo("Simulated power beside the closed form, at the size nearest the target:")
    print_table(pick_near_target(found))
    typer.echo("\nSample sizes:")
    columns = [
        "strategy", "fraction_enrolled", "analysis", "n_control", "n_control_lower",
        "n_control_upper", "n_control_lower_cohort", "n_control_upper_cohort",
        "closed_form_n_control", "n_to_screen", "cost",
    ]  # fmt: skip
    print_table(found.tables["sample_sizes"][columns].round(1))


def pick_near_target(found: "Comparison") -> "pd.DataFrame":
    """Return the simulated size whose power is nearest the target, by choice and analysis."""
    keys = ["strategy", "fraction_enrolled", "analysis"]
    table = found.tables["operating_characteristics"]
    target = found.tables["sample_sizes"]["target_power"].iloc[0]
    nearest = (table["power"] - target).abs().groupby([table[key] for key in keys], sort=False)
    columns = [
        *keys, "n_control", "n_treatment", "power", "mcse", "closed_form_power",
        "difference_in_mcse", "type_one_error", "n_failed_fits",
    ]  # fmt: skip
    chosen: pd.DataFrame = table.loc[nearest.idxmin(), columns]
    return chosen.round(3)
