# Read by gpu.sh and gpu_train.sh: from here on python has all that they need, beside the torch that
# is there, which knows the driver as another may not.
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
export PYTHONPATH=$PWD
if ! lacks=$(python benchmarks/bench_gpu.py --help 2>&1 >/dev/null); then
  here=$(mktemp)
  python -c 'import torch; print("torch==" + torch.__version__)' >"$here" || exit 1
  python -m pip install --quiet --retries 1 --timeout 10 --constraint "$here" \
    --editable '.[imaging,train]' || { tail -1 <<<"$lacks" >&2; exit 1; }
  rm "$here"
fi
