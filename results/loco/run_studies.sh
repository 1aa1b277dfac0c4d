#!/usr/bin/env bash
# The paper's claims on real locomotion: everything that results/loco compares, one run after the
# other, each kept in results/loco[/quick]/<dataset>/<setting>_<seed> as it ends.
#
#     bash results/loco/run_studies.sh [--quick] <dataset> [seed ...]      (seeds: 0 1 2; 13 or 11 agents a seed)
#     taskset -c 1 bash results/loco/run_studies.sh halfcheetah-own-mix-v2 0
#
# The seeds of a setting are trained in one process, at 0.6 to 0.7 of the cost of one after the other,
# which is half an hour each on one core. --quick is for an agent that has no memory and learns from 64
# transitions: three seeds in ten minutes, kept in results/loco/quick. The datasets are those of
# make_dataset.py and results/loco/iterated_data.sh. Run it again after an interruption, with other
# seeds or the same: what results/ has already is skipped and cut runs go on. Two datasets may run
# side by side.
set -u
cd "$(dirname "$0")/../.."
room=loco
program=(offline_cont.py --config-name=base)
if [ "$1" = --quick ]; then
    room=loco/quick
    program=(offline_markov.py --config-name=base_markov train.batch_size=64)
    shift
fi
python=${PYTHON:-python} dataset=$1
shift
(($#)) || set -- 0 1 2
seeds=("$@")
failed=()

# run <seed,seed> <program> <arguments>
run() {
    "$python" "${@:2}" dataset_name="$dataset" +seeds="[$1]" wandb.mode=disabled ||
        failed+=("${*:2}")
}
world() {
    local IFS=,
    run "${seeds[*]}" offline_world/cont_ensemble.py --config-path=../configs/loco_small "$@" \
        run_root=runs/loco
}
# kept <setting> <program> <arguments>: trains, and keeps the evaluations of finished runs
kept() {
    local setting=$1 missing='' seed folder copy
    shift
    for seed in "${seeds[@]}"; do
        [ -e "results/$room/$dataset/${setting}_$seed/values.json" ] || missing+=,$seed
    done
    [ "$missing" ] || return 0
    run "${missing#,}" "$@" --config-path=configs/loco_small run_root="runs/$room/$setting"
    for folder in "runs/$room/$setting"/*/"$dataset"/*/seed*; do
        copy=results/$room/$dataset/${setting}_${folder##*/seed}
        [ -e "$folder/finished.json" ] && [ ! -e "$copy/values.json" ] || continue
        "$python" results/thin.py "$folder" --out "${copy%/*}" --name "${copy##*/}" ||
            failed+=("$folder")
        "$python" eval_values.py "$folder" --imagined && cp "$folder/values.json" "$copy" ||
            failed+=("values of $folder")
    done
}
agent() {
    kept "$1" "${program[@]}" "${@:2}"
}

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
for weight in 0.05 0.5 0.95; do
    agent "real_weight=$weight" train.real_weight="$weight"
done
if [ "$room" = loco ]; then
    kept markov offline_markov.py --config-name=base_markov
    world --config-name=base_no_ln
    kept no_ln offline_cont.py --config-name=base_no_ln
fi

if ((${#failed[@]})); then
    printf 'failed: %s\n' "${failed[@]}" >&2
    exit 1
fi
