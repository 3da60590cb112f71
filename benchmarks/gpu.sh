#!/usr/bin/env bash
# What one GPU does, into gpu.json: under ten minutes from a bare machine with torch.
#   bash benchmarks/gpu.sh LABEL_MAPS [JSON [PART...]]
#   TRIAL=1 bash benchmarks/gpu.sh LABEL_MAPS    small networks on the processor, to try it
# A part that takes longer than its share is stopped, and what it measured stays.
set -uo pipefail
label_maps=$(realpath -e "${1:?give the folder of label maps}") || exit 1
json=$(realpath -m "${2:-gpu.json}")
wanted=" ${*:3} "
source "$(dirname "$0")/gpu_setup.sh"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
how=(--json "$json" --label-maps "$label_maps" --model "$scratch/model")
slower=1
if [ -n "${TRIAL:-}" ]; then
  how+=(--device cpu --narrow)
  slower=10
fi
python benchmarks/bench_gpu.py machine "${how[@]}" || exit 1
rc=0
while read -r seconds part; do
  case $wanted in "  " | *" $part "*) ;; *) continue ;; esac
  timeout -k 5 $((seconds * slower)) python benchmarks/bench_gpu.py "$part" "${how[@]}" </dev/null ||
    { echo "$part: stopped or failed" >&2; rc=1; }
done <<'PARTS'
100 parity
30 decoding
120 people
190 denoising
120 training
PARTS
exit $rc
