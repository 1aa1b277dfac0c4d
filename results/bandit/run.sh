#!/usr/bin/env bash
# The paper's Figure 3: penalties 0, 0.1, 0.5 and 2.5 with three seeds, 20 000 updates each.
#
#     bash results/bandit/run.sh          about half an hour of CPU a run
#
# Each finished run leaves its configuration, environment and metrics in
# results/bandit/<penalty>_<seed>. Started again, the script goes on where it was stopped.
set -eu
cd "$(dirname "$0")/../.."
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
        # the metrics last: they say that the run is kept
        cp "$run/config.yaml" "$run/environment.json" "$kept"
        cp "$run/metrics.jsonl" "$kept"
    done
done
"$python" plot_bandit.py results/bandit/*_* --out results/bandit
