#!/usr/bin/env bash
# Draws results/<study>/ from the finished runs of results/run_studies.sh, however many there are.
#
#     bash results/make_figures.sh
#
# What cannot be drawn (a run that is missing or unfinished) is named at the end.
set -u
shopt -s nullglob
cd "$(dirname "$0")/.."
python=${PYTHON:-python}
recurrent=runs/studies/offline_cont/pendulum-random-v1
markov=runs/studies/offline_markov/pendulum-random-v1
# from the actions of the training data to those that lead farthest from it
laws="random-v1 pump-v1 spin-v1"
models=offline_world/ckpt/pendulum
failed=()

run() {
    "$@" || failed+=("$*")
}

for model in ${models}_no_ln/pendulum-random-v1/ensemble_seed*.eqx; do
    seed=${model##*_seed}
    seed=${seed%.eqx}
    for config in base base_no_ln; do
        for actions in $laws; do
            run "$python" eval_error.py --config-path=configs/pendulum --config-name=$config \
                +eval_dataset="$actions" seed="$seed" run_root=runs/studies
        done
    done
done
for actions in $laws; do
    run "$python" plot_ln.py --train_dataset pendulum-random-v1 --eval_dataset "$actions" \
        --out "results/layer_norm/$actions"
done

run cp "$recurrent/default/seed0/config.yaml" results/config.yaml
study() { # name, settings' key, folders of the swept runs
    local name=$1 key=$2
    shift 2
    if (($#)); then
        run "$python" plot_results.py $recurrent/default "$@" ${key:+--by "$key"} --sweep \
            --out "results/$name"
    fi
}
study layer_norm ensemble.has_ln $recurrent/base_no_ln
study quantile collect.unc_quantile $recurrent/collect.unc_quantile=*
study penalty collect.penalty_coef $recurrent/collect.penalty_coef=*
study ensemble_size collect.ensemble_size $recurrent/collect.ensemble_size=*
study markov "" $markov/default

if ((${#failed[@]})); then
    printf 'failed: %s\n' "${failed[@]}" >&2
    exit 1
fi
