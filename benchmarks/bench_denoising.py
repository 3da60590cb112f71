"""Speed of denoising, with its accuracy, against the published loop.

The naive way is the published one: full precision, one latent after another. Ours is batched, with
matrices in bfloat16 where the processor has them. Random weights; the ratio is of one run.

    python benchmarks/bench_denoising.py                     a narrow model, seconds
    python benchmarks/bench_denoising.py --official          the published size, minutes, 8 GB
    python benchmarks/bench_denoising.py --table --model DIR  error against steps of both samplers
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from brlp_models.model.config import ModelConfig
from brlp_models.model.folder import load_model, write_model_folder
from brlp_models.model.model import BrlpModel
from brlp_models.model.networks import build_networks
from brlp_models.model.sampling import sample_latents
from brlp_models.model.schedule import Sampler
from brlp_models.official_import import read_official_config

NARROW = {"channels": [64, 128, 192], "num_head_channels": [0, 128, 192]}


def main() -> None:
    arguments = parse_arguments()
    torch.manual_seed(0)
    if arguments.table:
        print_step_table(load_model(arguments.model, device=arguments.device))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_random_model(choose_config(official=arguments.official), folder)
        compare(folder, arguments)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--official", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--model", default="mini")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--steps", type=int, default=2)
    return parser.parse_args()


def choose_config(*, official: bool) -> ModelConfig:
    settings = read_official_config().model_dump(mode="json")
    if not official:
        settings["unet"] |= NARROW
        settings["controlnet"]["conditioning_embedding_num_channels"] = [64]
    return ModelConfig.model_validate(settings)


def write_random_model(config: ModelConfig, folder: Path) -> None:
    networks = build_networks(config)
    for network in networks.values():
        fill_zero_convolutions(network)
    # random weights that predict noise of sd 1, as a trained network does
    nn.init.normal_(
        networks["unet"].out[2].conv.weight, std=1 / (27 * config.unet["channels"][0]) ** 0.5
    )
    write_model_folder(folder, config, networks, card="random weights\n")


def fill_zero_convolutions(network: nn.Module) -> None:
    for parameter in network.parameters():
        if parameter.dim() > 1 and not parameter.any():
            nn.init.kaiming_normal_(parameter.data)


def compare(folder: Path, arguments: argparse.Namespace) -> None:
    steps, samples, batch = arguments.steps, arguments.samples, arguments.batch
    # the naive way costs the same for every latent, so that two of them tell its speed
    ways = [("full", 1, min(2, samples)), ("auto", batch, samples), ("full", batch, samples)]
    print(f"model {'official' if arguments.official else 'narrow'}, {arguments.device}, ", end="")
    print(f"m = {samples}, {steps} steps; the processor's seconds per step and latent")
    print(f"{'precision':>12}{'batch':>7}{'seconds':>10}{'ratio':>8}{'relative error':>16}")
    naive, naive_seconds = torch.empty(0), 0.0
    for precision, size, count in ways:
        model = load_model(folder, device=arguments.device, precision=precision)
        inputs = {key: value[:count] for key, value in draw_inputs(model, samples).items()}
        found, seconds = timed(partial(sample_in_batches, model, inputs, size, steps))
        each = seconds / (steps * count)
        if not len(naive):
            naive, naive_seconds = found, each
        error = float((found[: len(naive)] - naive).norm() / naive.norm())
        ratio = naive_seconds / each
        print(f"{model.precision:>12}{size:7d}{each:10.3f}{ratio:8.2f}{error:16.1e}", flush=True)


def draw_inputs(model: BrlpModel, samples: int) -> dict[str, Tensor]:
    generator, config = torch.Generator().manual_seed(1), model.config
    latent = torch.randn(1, config.latent_channels, *config.latent_shape, generator=generator)
    noise = (samples, config.latent_channels, *config.padded_latent_shape)
    return {
        "baseline_latent": latent.expand(samples, -1, -1, -1, -1),
        "baseline_age_years": torch.full((samples,), 70.0),
        "context": torch.rand(1, 1, len(config.context), generator=generator).expand(
            samples, 1, -1
        ),
        "noise": torch.randn(noise, generator=generator),
    }


def sample_in_batches(
    model: BrlpModel, inputs: dict[str, Tensor], batch: int, steps: int, sampler: Sampler = "ddim"
) -> Tensor:
    samples = len(inputs["noise"])
    parts = [
        sample_latents(
            model,
            **{k: v[i : i + batch] for k, v in inputs.items()},
            num_inference_steps=steps,
            sampler=sampler,
        ).cpu()
        for i in range(0, samples, batch)
    ]
    return torch.cat(parts)


def timed(function: Callable[[], Tensor]) -> tuple[Tensor, float]:
    # the processor's time: other work on the machine does not count
    start = time.process_time() if not torch.cuda.is_available() else time.perf_counter()
    result = function()
    end = time.process_time() if not torch.cuda.is_available() else time.perf_counter()
    return result, end - start


def print_step_table(model: BrlpModel) -> None:
    """Print how far each sampler ends from its own limit of many steps, by number of steps."""
    inputs = draw_inputs(model, 2)
    exact = {
        "ddim": sample_in_batches(model, inputs, 2, 500, "ddim"),
        "dpm-solver++": sample_in_batches(model, inputs, 2, 200, "dpm-solver++"),
    }
    print(f"{model.model_id}: relative error of the final latent; limit: DDIM 500, DPM++ 200 steps")
    print(f"{'steps':>6}{'ddim':>12}{'dpm-solver++':>14}")
    for steps in (4, 6, 8, 10, 15, 20, 25, 50):
        errors = [
            float((sample_in_batches(model, inputs, 2, steps, s) - limit).norm() / limit.norm())
            for s, limit in exact.items()
        ]
        print(f"{steps:6d}{errors[0]:12.2e}{errors[1]:14.2e}")


if __name__ == "__main__":
    main()
