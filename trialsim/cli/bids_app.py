"""`trialsim-bids`: predictions and a ranking as a BIDS App, for containers and clusters.

The options are those that BIDS Apps share, so that it stands in the same job scripts.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trialsim.cli.answering.boundary import FAILED, end_command
from trialsim.cli.bids_options import build_parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; what it writes gives others than owner and group nothing."""
    os.umask(os.umask(0) | 0o007)
    words = list(sys.argv[1:] if arguments is None else arguments)
    asked = build_parser().parse_args(words)
    if asked.omp_nthreads:
        os.environ["OMP_NUM_THREADS"] = str(asked.omp_nthreads)
    try:
        sys.exit(_run(asked, shlex.join(["trialsim-bids", *words])))
    except (Exception, KeyboardInterrupt) as error:
        sys.exit(end_command(error, debug=asked.debug))


def _run(asked: argparse.Namespace, command: str) -> int:
    from trialsim.cli.answering.progress import show_progress
    from trialsim.study.bids_app import join_participants, predict_participants, write_citation
    from trialsim.study.job import Job

    protocol, out = _build_protocol(asked), asked.output_dir.absolute()
    with show_progress(quiet=asked.quiet) as listener:
        if asked.boilerplate_only:
            listener.tell(str(write_citation(Job(protocol, out), out)))
            return 0
        if asked.analysis_level == "group":
            whole = asked.protocol is not None
            join_participants(protocol, out, command=command, is_whole=whole, listener=listener)
            return 0
        failed = predict_participants(
            protocol,
            out,
            asked.participant_label,
            work=(asked.work_dir or out).absolute(),
            listener=listener,
        )
    for name, problem in failed.items():
        sys.stderr.write(f"Error: {name} was not predicted: {problem}\n")
    return FAILED if failed else 0


def _build_protocol(asked: argparse.Namespace) -> Any:
    """Return the protocol of the options, over that of `--protocol`."""
    from cohorts.sources.bids.filter_file import read_bids_filters
    from trialsim.study.question import build_stated, describe_values, parse_value, read_protocol

    values: dict[str, Any] = {"selection.strategies": ["random", "brlp"], "cohort.quarantine": True}
    if asked.protocol is not None:
        values = describe_values(read_protocol(asked.protocol), Path.cwd())
    filters = asked.bids_filter_file
    stated = {
        "cohort.path": asked.bids_dir,
        "cohort.diagnosis": asked.diagnosis,
        "cohort.pipeline": asked.pipeline,
        "cohort.profile": asked.profile,
        "cohort.bids_filters": None if filters is None else read_bids_filters(filters),
        "prediction.model": asked.model,
        "prediction.context_from": asked.context_from,
        "prediction.horizons_months": asked.horizons_months,
        "prediction.samples": None if asked.samples is None else parse_value(asked.samples),
        "prediction.device": asked.device,
        "prediction.memory_gb": asked.mem_gb,
        "selection.strategies": asked.strategies,
        "prediction.threads": asked.omp_nthreads,
        "simulation.workers": asked.nprocs,
        "study.seed": asked.seed,
    }
    values |= {key: value for key, value in stated.items() if value is not None}
    values.setdefault("prediction.model", "mini")
    return build_stated(values)
