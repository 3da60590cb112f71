"""What predicting with a model costs, stage by stage, and a whole cohort.

    python benchmarks/bench_mini.py                 stages, 10 people with m = 4, one with m = 16
    python benchmarks/bench_mini.py --people 100    the whole cohort

GFLOP are counted by PyTorch. A stage's share is its rate over that of a large matrix product in
the stage's own precision, measured in the same run. People are made of noise on the model's grid.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from bench_prediction import make_cohort
from torch.utils.flop_counter import FlopCounterMode

from brlp_models.model.folder import load_model
from brlp_models.model.model import BrlpModel
from brlp_models.model.precision import autocast
from brlp_models.model.sampling import sample_latents
from brlp_models.prediction.cohort import predict_cohort
from brlp_models.scans.segmentation import compute_logits

SIZE = 3072


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--people", type=int, default=10)
    arguments = parser.parse_args()
    model = load_model(arguments.model, precision="auto")
    print(f"{model.model_id}, {torch.get_num_threads()} threads, denoising in {model.precision}")
    measure_stages(model)
    with tempfile.TemporaryDirectory() as folder:
        predict(model, Path(folder) / "many", people=arguments.people, samples=4)
        predict(model, Path(folder) / "one", people=1, samples=16)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory {peak:.1f} GiB")


def measure_stages(model: BrlpModel) -> None:
    """Print seconds, GFLOP and share of the matrix rate of each stage, for one scan."""
    config = model.config
    image = torch.rand(1, 1, *config.shape)
    latent = model.encode(image)
    noise = torch.randn(4, config.latent_channels, *config.padded_latent_shape)
    context = torch.zeros(4, 1, len(config.context))
    age = torch.full((4,), 75.0)
    four = latent.expand(4, -1, -1, -1, -1)
    halved = model.precision
    stages: dict[str, tuple[str, Callable[[], object]]] = {
        "encode": ("full", lambda: model.encode(image)),
        "denoise (one step, 4 draws)": (
            halved,
            lambda: sample_latents(model, four, age, context, noise, 1, config.sampler),
        ),
        "decode": ("full", lambda: model.decode(latent)),
        "decode a draw": (halved, read_as_draw(model, lambda: model.decode(latent))),
        "segment": ("full", lambda: compute_logits(model, image)),
        "segment a draw": (halved, read_as_draw(model, lambda: compute_logits(model, image))),
    }
    if config.decoding == "refined":
        first = image[0]

        def render() -> object:
            return model.render(image, scan=first, reconstruction=first)

        stages |= {
            "refine": ("full", render),
            "refine a draw": (halved, read_as_draw(model, render)),
        }
    for name, (precision, stage) in stages.items():
        with FlopCounterMode(display=False) as counter:
            stage()
        seconds = take_time(stage)
        rate = counter.get_total_flops() / seconds
        share = rate / measure_matrix_rate(precision)
        print(
            f"{name}: {seconds:.2f} s, {counter.get_total_flops() / 1e9:.1f} GFLOP, "
            f"{rate / 1e9:.0f} GFLOP/s, {share:.0%} of the {precision} matrix rate"
        )


def read_as_draw(model: BrlpModel, stage: Callable[[], object]) -> Callable[[], object]:
    """Return a stage as it is run for single draws, in the precision of the model."""

    def run() -> object:
        with autocast(model.precision, model.device):
            return stage()

    return run


def measure_matrix_rate(precision: str) -> float:
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    matrix = torch.randn(SIZE, SIZE).to(dtype)
    return 2 * SIZE**3 / take_time(lambda: matrix @ matrix)


def take_time(stage: Callable[[], object], repeats: int = 3) -> float:
    """Return the shortest of a few runs, after one to warm up."""
    stage()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        stage()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def predict(model: BrlpModel, folder: Path, *, people: int, samples: int) -> None:
    folder.mkdir()
    cohort = make_cohort(model, folder, people)
    start = time.perf_counter()
    predict_cohort(model, cohort, (24.0,), samples, out=folder / "predictions")
    seconds = time.perf_counter() - start
    print(f"{people} people, one horizon, m = {samples}: {seconds:.1f} s with the sd of volumes")


if __name__ == "__main__":
    main()
