#!/usr/bin/env bash
# The paper's Figure 3, as published: penalties 0, 0.1, 0.5 and 2.5 with three seeds, 20 000 updates
# each; for penalties 0 and 0.1 also the rates of the memory around 3e-6, of which the best counts.
#
#     bash results/bandit/run.sh published <bandit.pkl>    on the published file
#     bash results/bandit/run.sh shipped                   on offline_world/data/bandit.npz
#
# Half an hour a run on one core: start one command pinned to each core. Each finished run
# leaves its configuration and the evaluations of its metrics in results/bandit/<data>/<rate>/
# <penalty>_<seed>. Started again, the script goes on where it was stopped.
set -eu
cd "$(dirname "$0")/../.."
python=${PYTHON:-python}
study=${1:?published or shipped}
data=$study
case $study in
    published) data=${2:?where is the published bandit.pkl?} ;;
    shipped) data=offline_world/data/bandit.npz ;;
esac
world="collect.data_path=$data collect.save_dir=offline_world/ckpt/bandit_$study wandb.mode=disabled"

# run <rate> <penalty>, for all seeds
run() {
    for seed in ${SEEDS:-0 1 2}; do
        kept=results/bandit/$study/$1 run=runs/bandit/$study/$1/$2_$seed
        [ -e "$kept/$2_$seed/metrics.jsonl" ] && continue
        "$python" offline_bandit.py seed="$seed" $world train.enc_lr="$1" \
            collect.penalty_coef="$2" run_dir="$run" checkpoint.every_minutes=3
        "$python" results/thin.py "$run" --out "$kept" --name "$2_$seed"
    done
}

for seed in ${SEEDS:-0 1 2}; do
    [ -e "offline_world/ckpt/bandit_$study/ensemble_seed$seed.eqx" ] && continue
    "$python" offline_world/bandit_ensemble.py --seed "$seed" $world \
        run_dir="runs/bandit/$study/ensemble_seed$seed"
done
for penalty in ${PENALTIES:-0 0.1 0.5 2.5}; do run 3e-6 "$penalty"; done
if [ "$study" = published ]; then
    for rate in ${RATES:-1e-5 1e-6}; do
        for penalty in 0 0.1; do run "$rate" "$penalty"; done
    done
fi
"$python" plot_bandit.py "results/bandit/$study" --best train.enc_lr --out "results/bandit/$study"
