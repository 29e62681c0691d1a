#!/usr/bin/env bash
# What runs on the GPU machine, from the repository's root. OUT is the folder whose files come back.
#   bash lab/train/people3d_gpu.sh smoke        45 s: every stage for a few steps, nothing compiled, speeds printed
#   bash lab/train/people3d_gpu.sh ahead        at most 100 s: compiling alone, then FLUX's again from the cache
#   bash lab/train/people3d_gpu.sh run 420      the training, that many seconds by the clock, everything in them
#   bash lab/train/people3d_gpu.sh ladder 500   three widths that restore from two references (lab.train.ladder); what it
#                                               made comes back as $OUT/run.tar.00, .01, ... of 15 MiB: cat them into tar x
#   bash lab/train/people3d_gpu.sh run 420 --without detector landmarks      any option of lab.train.world_run
# The log goes to the screen and to $OUT/run.log. Killed at any second, $OUT keeps the last whole files.
set -uo pipefail
what=${1:-smoke}
wall=${2:-420}
shift; shift || true
out=${OUT:-/tmp/people3d_out}
mkdir -p "$out"
export PYTHONUNBUFFERED=1 PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True OMP_NUM_THREADS=4
if [ "$what" = smoke ]; then
    nvidia-smi --query-gpu=name,memory.used,memory.total --format=csv,noheader || true
    timeout -k 5 58 python3 -m lab.train.make people3d --out "$out" --device cuda --smoke "$@" 2>&1 | tee "$out/run.log"
elif [ "$what" = ahead ]; then
    for name in ae16 unet flux; do
        timeout -k 5 75 python3 -m lab.train.world_run --ahead "$name" --out "$out" --device cuda 2>&1 | tail -n 4 &
    done
    wait
    echo "once more, from the cache:"
    timeout -k 5 40 python3 -m lab.train.world_run --ahead flux --out "$out" --device cuda 2>&1 | tail -n 4
elif [ "$what" = ladder ]; then
    made=$(mktemp -d)
    OMP_NUM_THREADS=1 timeout -k 5 $((wall + 12)) python3 -m lab.train.ladder --out "$made" --device cuda --wall "$wall" \
        "$@" 2>&1 | tee "$made/run.log"
    tar -C "$made" --exclude='*.part' -c . | split -b 15M -d - "$out/run.tar."
else
    timeout -k 5 $((wall + 20)) python3 -m lab.train.make people3d --out "$out" --device cuda --wall "$wall" "$@" 2>&1 \
        | tee "$out/run.log"
fi
rm -f "$out"/*.part
ls -l "$out"
