"""Few people with small scans, and a tiny model that predicts them in tenths of a second."""

import json
from dataclasses import replace
from pathlib import Path

from brlp_models.auxiliary.huber import HuberAuxiliary
from tests.brlp_models.brain_drawing import write_brain
from tests.brlp_models.scanned_people import REGIONS, make_people
from tests.brlp_models.tiny_model import READABLE, write_tiny_model


def write_people_and_model(folder: Path, n_people: int) -> None:
    """Write `screened`, people with scans and volumes at months 0 and 24, and `model`."""
    others = make_people(60, 1, None)
    huber = HuberAuxiliary.fit(others.baseline(), others.visit_volumes(REGIONS), regions=REGIONS)
    write_tiny_model(
        folder / "model",
        **READABLE,
        texts={"auxiliary/huber.json": json.dumps(huber.to_dict())},
        auxiliary={"one_visit": "auxiliary/huber.json"},
        num_inference_steps=1,
    )
    people = make_people(n_people, 2, None).until(24)
    paths = [
        str(write_brain(folder / f"images/{number}.nii.gz", number))
        for number in range(len(people.visits))
    ]
    with_scans = people.visits.assign(image_path=paths)
    # nothing is simulated for real people, which would take longer than all else
    replace(people, visits=with_scans, is_synthetic=False).write(folder / "screened")
