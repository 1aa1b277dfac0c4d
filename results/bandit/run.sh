#!/bin/sh
# The paper's Figure 3: penalties 0, 0.1, 0.5 and 2.5 with three seeds, 20 000 updates each.
#
#     sh results/bandit/run.sh            from the repository; about half an hour of CPU per run
#
# Each finished run leaves its metrics and configuration in results/bandit/<penalty>_<seed>. Started
# again, the script goes on where it was stopped.
set -eu
python=${PYTHON:-python}
penalties=${PENALTIES:-"0 0.5 0.1 2.5"}
for seed in ${SEEDS:-0 1 2}; do
    "$python" offline_world/bandit_ensemble.py --seed "$seed" wandb.mode=disabled
    for penalty in $penalties; do
        kept=results/bandit/${penalty}_$seed
        run=runs/bandit_study/${penalty}_$seed
        [ -e "$kept/metrics.jsonl" ] && continue
        "$python" offline_bandit.py seed="$seed" collect.penalty_coef="$penalty" \
            run_dir="$run" wandb.mode=disabled checkpoint.every_minutes=3
        mkdir -p "$kept"
        cp "$run/config.yaml" "$run/metrics.jsonl" "$kept"
    done
done
