#!/usr/bin/env bash
# Iterated data of one robot: random actions, an agent trained on them in imagination, its noisy
# rollouts as the next dataset, and both together.
#
#     bash results/loco/iterated_data.sh [robot] [seed]      halfcheetah (default), hopper, walker2d
#
#   <robot>-own-random-v2   200 000 rows, uniformly random actions
#   <robot>-own-medium-v2   100 000 rows of the agent trained on own-random, a third each with noise
#                           of standard deviation 0, 0.2 and 0.4 on its actions
#   <robot>-own-mix-v2      own-random and own-medium: the medium-replay of this series
#
# The files are left in $D4RL_DATASET_DIR (~/.d4rl/datasets), the run in runs/iterated. About an hour
# on two cores. Started again, it goes on where it was stopped.
set -eu
cd "$(dirname "$0")/../.."
python=${PYTHON:-python} robot=${1:-halfcheetah} seed=${2:-0}
data=${D4RL_DATASET_DIR:-$HOME/.d4rl/datasets}
settings=(dataset_name="$robot-own-random-v2" seed="$seed" wandb.mode=disabled run_root=runs/iterated)
run=runs/iterated/offline_cont/$robot-own-random-v2/default/seed$seed

"$python" make_dataset.py "$robot-own-random-v2" --rows 200000
"$python" offline_world/cont_ensemble.py --config-path=../configs/loco_small --config-name=base \
    "${settings[@]}"
"$python" offline_cont.py --config-path=configs/loco_small --config-name=base "${settings[@]}"

parts=()
for noise in 0 0.2 0.4; do
    part=$robot-own-medium-noise${noise/./}-v2
    "$python" make_dataset.py "$part" --policy "$run" --noise "$noise" --rows 33334 --seed "$seed"
    parts+=("$data/$part.hdf5")
done
"$python" make_dataset.py "$robot-own-medium-v2" --policy mix --files "${parts[@]}"
"$python" make_dataset.py "$robot-own-mix-v2" --policy mix \
    --files "$data/$robot-own-random-v2.hdf5" "$data/$robot-own-medium-v2.hdf5"
"$python" dataset_report.py "$robot-own-mix-v2" --out reports
