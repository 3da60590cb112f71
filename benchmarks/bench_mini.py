"""What predicting with a model costs, stage by stage, and a whole cohort.

    python benchmarks/bench_mini.py                           stages, 8 people with m = 2
    python benchmarks/bench_mini.py --people 100 --workers 16 the whole cohort on 16 cores

GFLOP are counted by PyTorch, with those of oneDNN's convolutions and of attention on a processor,
which it does not know; what is no convolution and no matrix product is left out. Seconds are of one
thread. A stage's rate stands beside that of a large matrix product in the stage's own precision,
measured in the same run; a person's seconds are those of its times in a prediction of volumes.
People have the template's brain with noise.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from bench_prediction import make_cohort
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count, sdpa_flop_count

from brlp_models.model.folder import load_model
from brlp_models.model.model import BrlpModel
from brlp_models.model.precision import Precision, autocast
from brlp_models.model.sampling import sample_latents
from brlp_models.prediction.settings import Part
from brlp_models.scans.segmentation import compute_logits
from trialsim.study.steps.elsewhere import ModelOfWorker, Predicting
from trialsim.workers.processes import Processes

SIZE = 3072


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--samples", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model(arguments.model, precision="auto")
    print(f"{model.model_id}, denoising in {model.precision}")
    measure_stages(model, samples=arguments.samples)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory {peak:.1f} GiB")
    with tempfile.TemporaryDirectory() as folder:
        predict(model, Path(folder), arguments)


def measure_stages(model: BrlpModel, *, samples: int) -> None:
    """Print what each stage of a prediction costs, and how often it is done for a person."""
    config = model.config
    image = torch.rand(1, 1, *config.shape)
    latent = model.encode(image)
    noise = torch.randn(1, config.latent_channels, *config.padded_latent_shape)
    context, age = torch.zeros(1, 1, len(config.context)), torch.full((1,), 75.0)
    steps, halved = config.num_inference_steps, model.precision

    def denoise() -> object:
        return sample_latents(model, latent, age, context, noise, steps, config.sampler)

    def as_draw(stage: Callable[[], object]) -> Callable[[], object]:
        def run() -> object:
            with autocast(halved, model.device):
                return stage()

        return run

    n_read = samples if samples > 1 else 0
    stages: list[tuple[str, Precision, int, Callable[[], object]]] = [
        ("encode", "full", 1, lambda: model.encode(image)),
        (f"denoise a draw, {steps} steps", halved, samples, denoise),
        ("decode", "full", 2, lambda: model.decode(latent)),
        ("decode a draw", halved, n_read, as_draw(lambda: model.decode(latent))),
        ("segment", "full", 2, lambda: compute_logits(model, image)),
        ("segment a draw", halved, n_read, as_draw(lambda: compute_logits(model, image))),
    ]
    if config.decoding == "refined":

        def render() -> object:
            return model.render(image, scan=image[0], reconstruction=image[0])

        stages.append(("refine, where scans are kept", "full", 0, render))
    rates = {precision: measure_matrix_rate(precision) for precision in {"full", halved}}
    total = 0.0
    for name, precision, times, stage in stages:
        n_operations, seconds = count_operations(stage), take_time(stage)
        total += times * seconds
        rate = n_operations / seconds
        print(
            f"{name}: {times} x {seconds:.2f} s, {n_operations / 1e9:.1f} GFLOP, "
            f"{rate / 1e9:.0f} GFLOP/s, {rate / rates[precision]:.0%} of the {precision} rate"
        )
    print(f"a person, m = {samples}: {total:.1f} s")


def count_operations(stage: Callable[[], object]) -> int:
    """Return how often a stage multiplies and adds, in matrix products and convolutions."""
    counter = FlopCounterMode(
        display=False,
        custom_mapping={
            torch.ops.aten.mkldnn_convolution: _count_convolution,
            torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _count_attention,
        },
    )
    with counter:
        stage()
    return int(counter.get_total_flops())


def _count_convolution(
    x: list[int], weight: list[int], *_: object, out_shape: list[int], **__: object
) -> int:
    return conv_flop_count(x, weight, out_shape)


def _count_attention(
    query: tuple[int, ...], key: tuple[int, ...], value: tuple[int, ...], *_: object, **__: object
) -> int:
    return int(sdpa_flop_count(query, key, value))  # type: ignore[no-untyped-call]


def measure_matrix_rate(precision: Precision) -> float:
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    matrix = torch.randn(SIZE, SIZE).to(dtype)
    return 2 * SIZE**3 / take_time(lambda: matrix @ matrix)


def take_time(stage: Callable[[], object], repeats: int = 3) -> float:
    """Return the shortest processor time of a few runs, after one to warm up."""
    stage()
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        stage()
        seconds.append(time.process_time() - start)
    return min(seconds)


@dataclass(frozen=True)
class Timed:
    """Work of a worker that returns its seconds of processor."""

    work: Predicting

    def __call__(self, part: Part | None) -> float:
        """Return the seconds of a part; None loads the model alone."""
        self.work.model.load()
        start = time.process_time()
        if part is not None:
            self.work(part)
        return time.process_time() - start


def predict(model: BrlpModel, folder: Path, arguments: argparse.Namespace) -> None:
    """Print the time of people whose scans nobody looks at, when the workers have started."""
    people, samples, workers = arguments.people, arguments.samples, arguments.workers
    options = {"horizons_months": (24.0,), "samples": samples, "out": folder / "predictions"}
    cohort = make_cohort(model, folder, people)
    timed = Timed(
        Predicting(ModelOfWorker(arguments.model, "cpu", model.precision), cohort, options)
    )
    processes = Processes(workers)
    list(processes.map(timed, [None] * workers))
    start = time.perf_counter()
    cpu = sum(processes.map(timed, [Part(number, people) for number in range(people)]))
    wall = time.perf_counter() - start
    if (found := len(list((folder / "predictions" / "people").glob("*.json")))) < people:
        raise SystemExit(f"Only {found} of {people} people were predicted.")
    print(
        f"{people} people, m = {samples}, {workers} processes of one thread: {cpu / people:.1f} s "
        f"of processor and {wall / people:.1f} s of wall time a person"
    )


if __name__ == "__main__":
    main()
