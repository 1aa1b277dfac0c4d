#!/usr/bin/env bash
# The paper's claims on real locomotion: everything that results/loco compares, one run after the
# other, each kept in results/loco/<dataset>/<setting>_<seed> as it ends.
#
#     bash results/loco/run_studies.sh <dataset> [seed ...]      (seeds: 0 1 2; 13 agents a seed, of
#                                                                 half an hour each on one core)
#     taskset -c 1 bash results/loco/run_studies.sh halfcheetah-own-mix-v2 0
#
# The datasets are those of make_dataset.py and results/loco/iterated_data.sh. Run it again after an
# interruption: finished runs are skipped and a cut one goes on. Two datasets or two seeds may run
# side by side. Seeds are the outer loop, so that one seed of every setting comes first.
set -u
cd "$(dirname "$0")/../.."
python=${PYTHON:-python} dataset=$1
shift
failed=()

run() {
    "$python" "$@" dataset_name="$dataset" wandb.mode=disabled || failed+=("$*")
}
world() {
    run offline_world/cont_ensemble.py --config-path=../configs/loco_small seed="$seed" "$@" \
        run_root=runs/loco
}
# kept <setting> <program> <arguments>: trains, and keeps the evaluations of a finished run
kept() {
    local setting=$1 folder=runs/loco/$dataset/$1/seed$seed
    shift
    run "$@" --config-path=configs/loco_small seed="$seed" run_dir="$folder"
    if [ -e "$folder/finished.json" ]; then
        "$python" results/thin.py "$folder" --out "results/loco/$dataset" || failed+=("$setting")
        "$python" eval_values.py "$folder" || failed+=("values of $setting")
        cp "$folder/values.json" "results/loco/$dataset/${setting}_$seed"
    fi
}
agent() {
    kept "$1" offline_cont.py --config-name=base "${@:2}"
}

(($#)) || set -- 0 1 2
for seed in "$@"; do
    world --config-name=base
    agent base
    for length in 5 1 20; do
        agent "max_rollout_len=$length" collect.max_rollout_len="$length"
    done
    for quantile in 0.9 0.99; do
        agent "unc_quantile=$quantile" collect.unc_quantile="$quantile"
    done
    for penalty in 1.0 5.0; do
        agent "penalty_coef=$penalty" collect.penalty_coef="$penalty"
    done
    kept markov offline_markov.py --config-name=base_markov
    world --config-name=base_no_ln
    kept no_ln offline_cont.py --config-name=base_no_ln
    for weight in 0.05 0.5 0.95; do
        agent "real_weight=$weight" train.real_weight="$weight"
    done
done

if ((${#failed[@]})); then
    printf 'failed: %s\n' "${failed[@]}" >&2
    exit 1
fi
