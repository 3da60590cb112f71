"""What is told of people's predictions: each thing once, however many people it is told of."""

import pandas as pd

from brlp_models.prediction.job import CohortPrediction
from trialsim.study.steps.prediction import describe_predictions


def make_prediction(reasons: dict[str, str], problems: dict[str, str]) -> CohortPrediction:
    checks = pd.DataFrame(
        {"participant_id": list(reasons), "verdict": "warn", "reasons": list(reasons.values())}
    )
    failures = pd.DataFrame({"participant_id": list(problems), "problem": list(problems.values())})
    return CohortPrediction(pd.DataFrame(), checks, failures)


def test_one_reason_of_many_people_is_one_line() -> None:
    voxels = "voxels are up to 2.0 mm long, at most 1.6 mm is expected."
    reasons = {f"sub-{place}": voxels for place in range(200)}
    for place, volume in ((7, "4362.07"), (9, "4107.7")):
        reasons[f"sub-{place}"] += (
            f" volume:hippocampus of sub-{place} (month 24) is {volume}, outside the training "
            "range of mini (4460.5 to 13612.7)."
        )
    assert describe_predictions(make_prediction(reasons, {})) == [
        f"Check the scan of sub-0, sub-1, sub-2 and 197 others: {voxels}",
        "Check the scan of sub-7, sub-9: volume:hippocampus (month 24) is 4107.7 to 4362.07, "
        "outside the training range of mini (4460.5 to 13612.7).",
    ]


def test_what_differs_in_numbers_alone_is_told_together() -> None:
    contrast = "brightness to the power {} would have it, at month {} of a T1w."
    reasons = {
        name: contrast.format(power, month)
        for name, power, month in (("a-1", "0.80", 12), ("a-2", "1.30", 12), ("a-3", "0.75", 24))
    }
    assert describe_predictions(make_prediction(reasons, {})) == [
        "Check the scan of a-1, a-2, a-3: brightness to the power 0.75 to 1.30 would have it, at "
        "month 12 to 24 of a T1w."
    ]


def test_who_was_not_predicted_is_told_with_the_reason() -> None:
    problems = {"sub-1": "The file ends early. Copy it again.", "sub-2": "No brain was found."}
    assert describe_predictions(make_prediction({}, problems)) == [
        "Not predicted: sub-1: The file ends early. Copy it again.",
        "Not predicted: sub-2: No brain was found.",
    ]
