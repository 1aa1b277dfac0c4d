#!/usr/bin/env bash
# Trains everything that the studies of the embedded task need, then draws results/<study>/.
#
#     bash results/run_studies.sh [seed ...]        (default: 0 1 2; about 40 minutes a seed)
#
# Run it again after an interruption: finished runs are skipped and a cut one goes on. Seeds are the
# outer loop, so that one seed of every study comes first.
set -u
cd "$(dirname "$0")/.."
python=${PYTHON:-python}
failed=()

run() {
    "$python" "$@" run_root=runs/studies wandb.mode=disabled || failed+=("$*")
}
world() {
    run offline_world/cont_ensemble.py --config-path=../configs/pendulum "$@"
}
agent() {
    run offline_cont.py --config-path=configs/pendulum "$@"
}

(($#)) || set -- 0 1 2
for seed in "$@"; do
    world --config-name=base seed="$seed"
    world --config-name=base_no_ln seed="$seed"
    # The published setting is one point of every sweep.
    agent --config-name=base seed="$seed"
    for quantile in 0.9 0.99 0.999; do
        agent --config-name=base seed="$seed" collect.unc_quantile=$quantile
    done
    run offline_markov.py --config-path=configs/pendulum --config-name=base_markov seed="$seed"
    agent --config-name=base_no_ln seed="$seed"
    for penalty in 0.2 5.0 0.04 1.0; do
        agent --config-name=base seed="$seed" collect.penalty_coef=$penalty
    done
    for size in 2 5; do
        agent --config-name=base seed="$seed" collect.ensemble_size=$size
    done
done

PYTHON=$python bash results/make_figures.sh || failed+=("results/make_figures.sh")
if ((${#failed[@]})); then
    printf 'failed: %s\n' "${failed[@]}" >&2
    exit 1
fi
