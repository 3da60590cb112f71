"""Dice and volume of the model's own segmentation of one real scan, as JSON.

    python benchmarks/score_real_scan.py aomic_piop2_sub-0001
    python benchmarks/score_real_scan.py FOLDER --model MODEL_FOLDER

FOLDER holds `orig.mgz` (the whole head) and `aseg.mgz` (FreeSurfer's segmentation), which is read
for the score alone. No checkpoint and no setting may be chosen by this score.
"""

import argparse
import json
from pathlib import Path

from brlp_models.evaluation.images.real_scan import score_real_scan
from brlp_models.model.folder import load_model

REGIONS = ("hippocampus", "amygdala", "lateral_ventricle", "thalamus")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--scan", default="orig.mgz")
    parser.add_argument("--segmentation", default="aseg.mgz")
    arguments = parser.parse_args()
    folder, model = arguments.folder, load_model(arguments.model)
    scores = score_real_scan(
        model, folder / arguments.scan, folder / arguments.segmentation, REGIONS
    )
    print(json.dumps({"model": model.model_id, "scan": arguments.scan, **scores}, indent=1))


if __name__ == "__main__":
    main()
