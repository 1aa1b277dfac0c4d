"""The embedded task at sizes that train in seconds."""

SEEDS = "seed=0,1"
_SIZES = ("debug=true",)
WORLD = ("--config-path=../configs/pendulum", "--config-name=base", *_SIZES)
AGENT = (
    *("--config-path=configs/pendulum", "--config-name=base", *_SIZES),
    *("train.grad_steps=120", "eval.times=4"),
)
#: Where a run of these arguments without others goes.
RUN = "runs/offline_cont/pendulum-random-v1/debug=True,eval.times=4,train.grad_steps=120"
MODEL = "offline_world/ckpt/pendulum_debug/pendulum-random-v1/ensemble_seed0.eqx"
#: What wandb's own variables say of the runs that `trained` holds.
WANDB = {
    "WANDB_PROJECT": "swing",
    "WANDB_ENTITY": "us",
    "WANDB_RUN_GROUP": "block 1",
    "WANDB_NAME": "the name",
    "WANDB_TAGS": "short,two seeds",
    "WANDB_NOTES": "a note",
}
