"""Draws of many predictions, batched together."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from brlp_models.errors import ModelError
from brlp_models.model.model import BrlpModel
from brlp_models.model.precision import autocast
from brlp_models.model.sampling import sample_latents
from brlp_models.model.schedule import Sampler
from brlp_models.prediction.batches import BatchSize
from brlp_models.prediction.stabilization import DrawSummary
from brlp_models.prediction.start import StartScan, StartVisit
from brlp_models.scans.segmentation import Segmenter, Volumes


@dataclass(frozen=True)
class Person:
    """Someone ready to be predicted.

    Parameters
    ----------
    start, scan
        The starting visit and its scan on the model's grid.
    latent, reconstruction
        The encoded scan (C, *latent_shape), and what it decodes to (channels, *shape).
    volumes, volume_source
        Native volumes (mm3) of the starting scan.
    """

    start: StartVisit
    scan: StartScan
    latent: Tensor
    reconstruction: Tensor
    volumes: Volumes
    volume_source: str

    @property
    def participant_id(self) -> str:
        """Whose scan it is."""
        return self.start.participant_id


@dataclass
class PersonAtHorizon:
    """One person at one horizon, with what its draws said so far.

    `told` has the later volumes (native mm3) that the context tells, by region.
    """

    person: Person
    horizon_months: float
    age_years: float
    context: Tensor
    told: Volumes = field(default_factory=dict)
    draws: DrawSummary = field(default_factory=DrawSummary)
    problems: Sequence[str] = ()

    @property
    def name(self) -> str:
        """What its T1w is called, without the ending of the file."""
        month, age = format_months(self.horizon_months), f"{self.age_years:.1f}".removesuffix(".0")
        when = f"Month{month}Age{age}".replace(".", "p")
        return f"{self.person.start.prefix}_desc-predicted{when}_T1w"


@dataclass(frozen=True)
class Drawing:
    """How draws are made.

    Parameters
    ----------
    model, segmenter
        The segmenter is None where nothing is measured.
    seed, sampler, num_inference_steps
        As in `sample_latents`.
    renders
        Whether anybody looks at the scans; without, only volumes are read from draws.
    latent_batch, scan_batch
        How many latents are denoised, and scans decoded, at once.
    """

    model: BrlpModel
    segmenter: Segmenter | None
    seed: int
    sampler: Sampler
    num_inference_steps: int
    renders: bool
    latent_batch: BatchSize
    scan_batch: BatchSize

    def add_draws(
        self,
        targets: Sequence[PersonAtHorizon],
        n_draws: int,
        on_draw: Callable[[PersonAtHorizon], None],
    ) -> None:
        """Draw each target `n_draws` more times, batched over people, draws and horizons."""
        jobs = [(t, t.draws.n_samples + k) for t in targets for k in range(n_draws)]
        batches = self.latent_batch.run(lambda part: self._sample(jobs[part]), len(jobs))
        done = 0
        for latents in batches:
            for group, rows in _group(jobs[done : done + len(latents)]):
                self._summarize(group, latents[rows], alone=n_draws == 1)
                for _ in rows:
                    on_draw(group)
            done += len(latents)

    def decode(self, latents: Tensor) -> Tensor:
        """Return decoded latents (B, channels, *shape)."""
        parts = self.scan_batch.run(lambda part: self.model.decode(latents[part]), len(latents))
        return torch.cat(list(parts)).cpu()

    def render(self, person: Person, decoded: Tensor) -> Tensor:
        """Return what decoded latents look like in a person, (B, channels, *shape), 0 to 1."""
        return self.model.render(
            decoded, scan=person.scan.image, reconstruction=person.reconstruction
        )

    def find_shown_change(self, person: Person, shown: Tensor) -> Tensor:
        """Return what shown scans change of the person's scan, (B, channels, *shape)."""
        # what the autoencoder loses is no change where decoded latents are shown as they are
        is_decoded = self.model.config.decoding == "latent"
        start = person.reconstruction.clamp(0, 1) if is_decoded else person.scan.image
        return shown - start

    def measure(self, decoded: Tensor, names: Sequence[str]) -> list[Volumes]:
        """Return the volumes in decoded latents, within the memory for scans."""
        segmenter = self.segmenter
        if segmenter is None:
            return [{} for _ in names]
        parts = self.scan_batch.run(
            lambda part: segmenter.measure(decoded[part].clamp(0, 1), names[part]), len(decoded)
        )
        return [volumes for part in parts for volumes in part]

    def measure_and_locate(
        self, decoded: Tensor, names: Sequence[str], region: str
    ) -> tuple[list[Volumes], list[Tensor]]:
        """Return `measure`, and what share of each voxel (*shape) a region fills, where known."""
        segmenter = self.segmenter
        if segmenter is None:
            return [{} for _ in names], []

        def read(part: slice) -> list[tuple[Volumes, Tensor | None]]:
            images = decoded[part].clamp(0, 1)
            volumes, shares = segmenter.measure_and_locate(images, names[part], region)
            by_scan = [None] * len(volumes) if shares is None else list(shares)
            return list(zip(volumes, by_scan, strict=True))

        found = [one for part in self.scan_batch.run(read, len(decoded)) for one in part]
        volumes = [one for one, _ in found]
        return volumes, [share for _, share in found if share is not None]

    def _sample(self, jobs: Sequence[tuple[PersonAtHorizon, int]]) -> Tensor:
        config = self.model.config
        shape = (config.latent_channels, *config.padded_latent_shape)
        noise = [
            make_noise(self.seed, t.person.participant_id, t.horizon_months, draw, shape)
            for t, draw in jobs
        ]
        return sample_latents(
            self.model,
            torch.stack([t.person.latent for t, _ in jobs]),
            torch.tensor([t.person.start.age_years for t, _ in jobs]),
            torch.stack([t.context for t, _ in jobs]),
            torch.stack(noise),
            self.num_inference_steps,
            self.sampler,
        ).cpu()

    def _summarize(self, target: PersonAtHorizon, latents: Tensor, *, alone: bool) -> None:
        target.draws.latents.add(latents)
        # one draw has no spread, and is decoded as the mean
        measures = not alone and self.segmenter is not None and self.segmenter.measures_draws
        if not (measures or self.renders):
            return
        with autocast(self.model.precision, self.model.device):
            decoded = self.decode(latents)
            if measures:
                self._measure_draws(target, decoded)
            if self.renders:
                target.draws.scans.add(self.render(target.person, decoded))

    def _measure_draws(self, target: PersonAtHorizon, decoded: Tensor) -> None:
        try:
            target.draws.volumes.extend(self.measure(decoded, [target.name] * len(decoded)))
        except ModelError as error:
            # told when the person is finished, so that the others of the batch go on
            target.problems = error.problems


def format_months(months: float) -> str:
    """Return months as a file name shows them: 24, 24.5."""
    return np.format_float_positional(months, trim="-")


def _group(jobs: Iterable[tuple[PersonAtHorizon, int]]) -> list[tuple[PersonAtHorizon, list[int]]]:
    groups: list[tuple[PersonAtHorizon, list[int]]] = []
    for row, (target, _) in enumerate(jobs):
        if not groups or groups[-1][0] is not target:
            groups.append((target, []))
        groups[-1][1].append(row)
    return groups


def make_noise(
    seed: int, participant_id: str, horizon_months: float, draw: int, shape: Sequence[int]
) -> Tensor:
    """Return standard normal noise of `shape`, always made on the CPU."""
    key = json.dumps([seed, participant_id, float(horizon_months), draw]).encode()
    state = int.from_bytes(hashlib.sha256(key).digest()[:8], "big", signed=True)
    generator = torch.Generator().manual_seed(state)
    return torch.randn(tuple(shape), generator=generator)
