"""The options of `trialsim-bids`, those that BIDS Apps share."""

import argparse
from pathlib import Path
from typing import Any

from trialsim import __version__

_DESCRIPTION = """\
Predict what each person's brain will look like at a later age (participant), then join who was
predicted, rank them by predicted decline and write the study (group).
"""


class _StoreOnce(argparse.Action):
    """What is typed for an option, which is given once: of two the later would win."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Keep the value; refuse a second one."""
        if option_string and getattr(namespace, self.dest) is not self.default:
            parser.error(
                f"argument {option_string}: given again, and only the last would count; give it "
                "once, with all its values."
            )
        setattr(namespace, self.dest, values)


def _read_path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("got nothing, a path is expected.")
    return Path(text)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser("trialsim-bids", description=_DESCRIPTION)
    parser.register("action", None, _StoreOnce)
    add = parser.add_argument
    add("bids_dir", type=_read_path, help="the BIDS dataset")
    add("output_dir", type=_read_path, help="the derivative dataset to write, shared by all calls")
    add("analysis_level", choices=["participant", "group"])
    add(
        "--participant-label", "--participant_label", nargs="+", default=[], metavar="LABEL",
        help="people to predict, with or without sub-; everyone when left out",
    )  # fmt: skip
    add("--protocol", type=_read_path, help="a protocol that states cohort, prediction and design")
    add("--model", help="mini, or the path of a model folder")
    add(
        "--context-from", help="image_regression, or a baseline's folder: tells the model's context"
    )
    add("--horizons-months", nargs="+", type=float, metavar="MONTHS", help="months after baseline")
    add("--samples", help="draws a person and horizon, or auto")
    add("--seed", type=int, help="the seed of everything random")
    add("--strategies", nargs="+", help="how to choose people (group)")
    add("--diagnosis", help="everyone's (CN, MCI, AD, or another word), for data without one")
    add("--pipeline", help="the folder under derivatives/ that gives segmentations and volumes")
    add("--profile", help="how the tables are written: adni-bids, clinica ..., or a TOML file")
    add("--bids-filter-file", type=_read_path, help="JSON of entities for t1w and dseg")
    add("--device", help="cpu, cuda, cuda:1 ...")
    add("--mem-gb", "--mem_gb", type=float, help="memory of a GPU for activations, GB")
    add("--nprocs", type=int, help="processes, each for other people")
    add("--omp-nthreads", type=int, help="threads of each; they change the last digits")
    add(
        "-w",
        "--work-dir",
        type=_read_path,
        help="preprocessed scans go here; by default output_dir",
    )
    add(
        "--skip-bids-validation", action="store_true",
        help="taken for the sake of job scripts; what is read is always checked",
    )  # fmt: skip
    add("--boilerplate-only", action="store_true", help="write logs/CITATION.md and stop")
    add("-q", "--quiet", action="store_true", help="say no more than what went wrong")
    add("--debug", action="store_true", help="show where a fault of this program arose")
    add("--version", action="version", version=f"trialsim {__version__}")
    return parser
