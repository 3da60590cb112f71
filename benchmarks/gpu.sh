#!/usr/bin/env bash
# What one GPU does, into gpu.json: under ten minutes from a bare machine with torch.
#   bash benchmarks/gpu.sh LABEL_MAPS [JSON]
# A part that takes longer than its share is stopped, and what it measured stays.
set -uo pipefail
label_maps=${1:?give the folder of label maps}
json=$(realpath -m "${2:-gpu.json}")
label_maps=$(realpath "$label_maps")
cd "$(dirname "$0")/.."
python -c 'import monai, pydantic' 2>/dev/null ||
  python -m pip install --quiet --editable '.[imaging,train]' || exit 1
rc=0
while read -r seconds part; do
  timeout "$seconds" python benchmarks/bench_gpu.py "$part" --json "$json" --label-maps "$label_maps" ||
    { echo "$part: stopped or failed" >&2; rc=1; }
done <<'PARTS'
60 parity
40 decoding
160 people
180 denoising
140 training
PARTS
exit $rc
