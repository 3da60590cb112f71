"""`trialsim predict`: what the screened people's brains will look like."""

import shlex

import typer

from cohorts.counting import tally
from trialsim.cli.asking.asked import Asked
from trialsim.cli.asking.command import asking
from trialsim.cli.asking.key_options import Option

SHARES = {
    "shard": Option(str, "i/n: only the i-th of n shares; `study join` makes the study."),
    "participant_label": Option(str, "Only these people, with commas.", is_list=True),
}
"""Whom this process predicts, of a job array."""


@asking(
    "model",
    "context_from",
    "horizons_months",
    "samples",
    "save_images",
    "measure",
    "segmentations",
    "until_months",
    "measured_by",
    "tolerance_percent",
    "sampler",
    "num_inference_steps",
    "device",
    "precision",
    "batch_size",
    "memory_gb",
    "threads",
    "workers",
    "cluster",
    further=SHARES,
)
def predict(asked: Asked) -> None:
    """Predict each person's scan and regional volumes at later ages, with their uncertainty.

    Only information up to the baseline visit is used. Interrupt it whenever you like: the same
    command goes on with the people who are not finished. Predicted scans and maps go into the
    folder predictions beside the study file.

    Example: trialsim predict cohort --model mini --horizons-months 24 --samples 8
    """
    from trialsim.cli.answering.printing import print_table
    from trialsim.errors import DesignError
    from trialsim.study.summaries import PREDICTION_TABLES, summarize_predictions
    from trialsim.study.writing.files import write_csv_tables

    if any(asked.further.values()):
        from trialsim.cli.answering.progress import show_progress
        from trialsim.study.shards import predict_shard

        if asked.output is not None or asked.as_json:
            raise DesignError(
                "Tables are there once all shares are joined: leave --output and --json out of a "
                "share, and give them to `trialsim predict` after `trialsim study join`."
            )
        shard, people = asked.further["shard"], asked.further["participant_label"] or ()
        with show_progress(quiet=asked.quiet) as listener:
            n_done = predict_shard(
                asked.study,
                asked.stated,
                shard=shard,
                people=people,
                settings=asked.settings,
                listener=listener,
            )
        join = shlex.join(["trialsim", "study", "join", str(asked.study)])
        typer.echo(f"{tally(n_done, 'people are')} finished; `{join}` at the end.")
        return
    result = asked.answer("predict")
    with result.study.snapshot():
        if asked.output is not None:
            write_csv_tables(result, PREDICTION_TABLES, asked.output)
        found = summarize_predictions(result)
    print_table(found, as_json=asked.as_json)
    if found.empty:
        holds = shlex.join(["trialsim", "study", "tables", "scan_checks", str(asked.study)])
        raise DesignError(f"Nobody was predicted; `{holds}` holds why.")
