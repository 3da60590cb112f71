"""The records of published and computed values, in a folder beside the project."""

import json
from pathlib import Path
from typing import Any

PATH = Path(__file__).parents[3] / "shared" / "reference" / "statistics.json"
RECORDS = (
    {record["id"]: record for record in json.loads(PATH.read_text("utf-8"))}
    if PATH.exists()
    else {}
)
Outputs = dict[str, Any]
Inputs = dict[str, Any]
