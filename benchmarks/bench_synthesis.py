"""How long synthetic tables and scans take, in CPU seconds of one process.

The last line is wall time, of a whole dataset by two workers, and needs two idle cores.
"""

import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from cohorts.synthetic.anatomy.mni import load_mni_anatomy
from cohorts.synthetic.images import synthesize_images
from cohorts.synthetic.person_scans import synthesize_scans
from cohorts.synthetic.tabular import synthesize_table

VISIT = {
    "left_hippocampus": 3300.0,
    "right_hippocampus": 3400.0,
    "amygdala": 3000.0,
    "thalamus": 13500.0,
    "lateral_ventricle": 25000.0,
    "cerebral_cortex": 460000.0,
}


def measure_dataset(n_participants: int = 16) -> float:
    """Return the scans that two workers write in a second, their start included."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "scans"
        start = time.perf_counter()
        synthesize_images(root, n_participants, seed=1, resolution_mm=2.0, workers=2)
        wall = time.perf_counter() - start
        return len(list(root.glob("sub-*/ses-*/anat/*_T1w.nii.gz"))) / wall


def main() -> None:
    """Print the times."""
    start = time.process_time()
    synthesize_table(1000, rng=np.random.default_rng(1))
    small = time.process_time() - start
    start = time.process_time()
    synthesize_table(100_000, rng=np.random.default_rng(1))
    large = time.process_time() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"table of 100,000 people x 5 visits: {large:.1f} s CPU, {memory:.2f} GB at most")
    print(f"ratio to 100 tables of 1,000 people: {100 * small / large:.1f}")
    start = time.process_time()
    base = load_mni_anatomy()
    print(f"built-in anatomy, once a run: {time.process_time() - start:.1f} s CPU")
    visits = [{region: own * (1 - 0.03 * k) for region, own in VISIT.items()} for k in range(4)]
    start = time.process_time()
    synthesize_scans(base, visits, rng=np.random.default_rng(1), resolution_mm=2.0)
    together = (time.process_time() - start) / 4
    start = time.process_time()
    synthesize_scans(base, visits[:1], rng=np.random.default_rng(1), resolution_mm=2.0)
    apart = time.process_time() - start
    print(f"one 2 mm scan of a person with four visits: {together:.2f} s CPU")
    print(f"ratio to making each visit's anatomy anew: {apart / together:.1f}")
    print(f"dataset of 16 people at 2 mm, two workers: {measure_dataset():.2f} scans/s wall")


if __name__ == "__main__":
    main()
