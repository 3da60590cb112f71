"""Run the benchmarks' ratios, keep them, and tell what has become slower.

    python benchmarks/run.py [name ...]

Each ratio is the naive way, or a peer, over ours within one run, so that it means the same on any
machine; more is better. They are written to benchmarks/results.json; what is more than 1.5 times
below the ratio that was there before is told, with exit code 1.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
WORST = 1.5
PATTERNS = {
    "capture": r"ratio (?P<ratio>[\d,.]+)",
    "volumetry": r"ratio (?P<ratio>[\d,.]+)",
    "progression": r"ratio: (?P<ratio>[\d,.]+)x",
    "store": r"(?P<ratio>[\d,.]+) times the rate of a row loop",
    "analysis": r"(?m)^(?P<name>[\w ]+): .* (?P<ratio>[\d,.]+) times faster",
    "analytic": r"(?m)^(?P<name>[A-Za-z].{1,26}?) +[\d.]+ +[\d.]+ +(?P<ratio>\d+)$",
    "simulation": r"sharing people between sizes: (?P<ratio>[\d,.]+) times",
    "synthesis": r"anatomy anew: (?P<ratio>[\d,.]+)",
}
"""What the script of each name prints."""


def measure(name: str) -> dict[str, float]:
    """Return the ratios that one script prints."""
    script = HERE / f"bench_{name}.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{script.name} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    found = list(re.finditer(PATTERNS[name], done.stdout))
    if not found:
        sys.exit(f"{script.name} printed no ratio:\n{done.stdout[-2000:]}")
    ratios = {}
    for one in found:
        own = one.groupdict().get("name")
        key = f"{name}: {own.strip()}" if own else name
        ratios[key] = float(one["ratio"].rstrip(".").replace(",", ""))
    return ratios


def main(names: list[str]) -> int:
    """Measure, compare, write; return the exit code."""
    for name in names:
        if name not in PATTERNS:
            sys.exit(f"There is no benchmark {name}: there are {', '.join(PATTERNS)}.")
    before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    found: dict[str, float] = {}
    for name in names or list(PATTERNS):
        own = measure(name)
        for key, ratio in own.items():
            print(
                f"{key}: {ratio:g} times the naive way ({compare(ratio, before.get(key))})",
                flush=True,
            )
        found |= own
        # kept at once, so that one that ends early takes nothing along
        RESULTS.write_text(json.dumps(before | found, indent=2, sort_keys=True) + "\n")
    new = sorted(found.keys() - before.keys())
    slower = [key for key in found if key in before and before[key] > WORST * found[key]]
    print(f"{len(found)} measured, {len(found) - len(new)} of them compared with {RESULTS.name}.")
    print(f"New, compared with nothing: {', '.join(new) or 'none'}.")
    print(f"More than {WORST:g} times slower than before: {', '.join(slower) or 'none'}.")
    return int(bool(slower))


def compare(ratio: float, before: float | None) -> str:
    """Return how a ratio stands to what it was before, in words."""
    if before is None:
        return "new"
    factor = before / ratio
    told = f", {factor:.1f} times slower than before" if factor > WORST else ""
    return f"before {before:g}{told}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
