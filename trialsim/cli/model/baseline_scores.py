"""`trialsim model baseline-scores`: a baseline as a strategy."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cohorts.counting import tally
from trialsim.cli.answering.progress import count_items
from trialsim.cli.asking.options import require_months
from trialsim.cli.asking.recording import MeasuredByOption, QuietOption
from trialsim.defaults import LAST_MONTH


def baseline_scores(
    baseline: Annotated[
        Path,
        typer.Argument(
            help="image_regression, the bundled one; mrextrap, from the scans of two visits; or a "
            "folder of `trialsim train baseline`."
        ),
    ],
    cohorts: Annotated[
        list[Path],
        typer.Argument(help="People to score, such as those screened and those of the archive."),
    ],
    horizon: Annotated[
        float, typer.Option(callback=require_months, help="Months after baseline.")
    ] = 24.0,
    out: Annotated[
        Path, typer.Option("--out", "--output", help="The score file to write (CSV).")
    ] = Path("scores.csv"),
    model: Annotated[
        str, typer.Option(help="The model on whose grid scans are read, or a model folder.")
    ] = "mini",
    scan_cache: Annotated[
        Path, typer.Option(help="Folder of preprocessed scans; what it holds is not made again.")
    ] = Path("baseline_scans"),
    until_months: Annotated[
        float,
        typer.Option(
            min=0,
            max=LAST_MONTH,
            help="For what makes an image: the latest visit that it may see, months.",
        ),
    ] = 0.0,
    measured_by: MeasuredByOption = None,
    harmonize: Annotated[
        Literal["as_measured"] | None,
        typer.Option(help="Take volumes of another tool than it learned from as they are."),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Score people by the loss that a baseline expects, for `trialsim rank --scores`.

    Only what is known at the baseline visit is read, or up to --until-months for what makes an
    image; the loss is then that since its last scan. The strategy is called as the baseline.
    Where an archive gives trials their outcomes, its people need scores too: name both cohorts.
    People whom it learned from get the score of what was fitted without them.

    Example: trialsim model baseline-scores image_regression screened archive --out scores.csv
    """
    from trialsim.study.baselines import score_by_baseline

    found = score_by_baseline(
        baseline,
        cohorts,
        out,
        horizon_months=horizon,
        model=model,
        scan_cache=scan_cache,
        until_months=until_months,
        measured_by=measured_by,
        harmonize=harmonize,
        counting=lambda n: count_items("reading scans", n, quiet=quiet),
    )
    for note in found.notes:
        typer.echo(note, err=True)
    for name, problem in found.failures.itertuples(index=False):
        typer.echo(f"{name}: {problem}", err=True)
    typer.echo(f"{found.n_scored} of {tally(found.n_people, 'people')}: {out}")
