#!/usr/bin/env bash
# Trains a recipe on one GPU for eight minutes and brings its weights back.
#   bash benchmarks/gpu_train.sh LABEL_MAPS OUT [RECIPE [SECONDS]]
# People are synthesized here, on all cores. OUT gets the model folder where the training ended, and
# what another machine goes on from where it did not: checkpoints, without the scans and latents
# that the same recipe makes again.
set -uo pipefail
label_maps=$(realpath -e "${1:?give the folder of label maps}") || exit 1
out=$(realpath -m "${2:?give the folder that gets the weights}")
recipe=${3:-told}
seconds=${4:-480}
[ ! -f "$recipe" ] || recipe=$(realpath "$recipe")
source "$(dirname "$0")/gpu_setup.sh"
training=$(mktemp -d)
# killed checkpoints are whole: each is written beside the one before it
timeout -s INT -k 20 "$seconds" python -m trialsim train all --config "$recipe" \
  --label-maps "$label_maps" --out "$training/training"
rc=$?
mkdir -p "$out"
for made in model auxiliary recipe.json losses.png segmenter autoencoder diffusion controlnet refiner; do
  [ ! -e "$training/training/$made" ] || cp -r "$training/training/$made" "$out/"
done
# the last of each phase; those before it are as large
find "$out" \( -name checkpoint_before.pt -o -name checkpoint_best.pt \) -delete
[ ! -d "$out/model" ] || find "$out" -mindepth 2 -name checkpoint.pt -delete
rm -rf "$training"
exit $rc
