"""What exploring can earn in a reward ensemble: the signal that penalty 0 has to learn from.

    python results/bandit/worth_of_exploring.py 0 1 2
    python results/bandit/worth_of_exploring.py 0 --folder <the published ensembles>

The player knows the members that agents train in but not which one it plays against. It pulls the
unseen arm, updates its belief over the members after every reward, and goes back to the seen arm
for good once the unseen arm's expected reward falls below a threshold; the best of eleven
thresholds counts.
"""

import jax.numpy as jnp
import numpy as np

from harness.configuration.composition import load_config
from harness.configuration.schema import BanditConfig
from harness.process.flags import Flags
from harness.process.reporting import reported_errors
from offline_world.bandit_task import ARMS, PULLS
from programs.bandit import build_world

THRESHOLDS = np.linspace(0.0, 0.5, 11)


def worth_of_exploring(
    mean: np.ndarray, std: np.ndarray, episodes: int = 200, seed: int = 0
) -> float:
    """Expected gain over the seen arm in an episode; `mean` and `std` are (member, arm)."""
    rng = np.random.default_rng(seed)
    members = len(mean)
    true = np.repeat(np.arange(members), episodes)
    log_belief = np.zeros((len(true), members))
    exploring = np.ones((len(THRESHOLDS), len(true)), bool)
    gain = np.zeros(exploring.shape)
    for _ in range(PULLS):
        gain += exploring * (mean[true, 1] - mean[true, 0])
        reward = mean[true, 1] + std[true, 1] * rng.standard_normal(len(true))
        log_belief -= 0.5 * ((reward[:, None] - mean[:, 1]) / std[:, 1]) ** 2 + np.log(std[:, 1])
        belief = np.exp(log_belief - log_belief.max(1, keepdims=True))
        expected = belief @ mean[:, 1] / belief.sum(1)
        exploring &= expected > THRESHOLDS[:, None]
    return gain.mean(1).max()


def main() -> None:
    parser = Flags(__doc__)
    parser.add_argument("seeds", nargs="+", type=int)
    parser.add_argument("--folder", default="offline_world/ckpt/bandit")
    args = parser.parse_args()
    for seed in args.seeds:
        where = [f"seed={seed}", f"collect.save_dir={args.folder}"]
        config = load_config("offline_bandit", where)
        assert isinstance(config, BanditConfig)
        world = build_world(config)
        mean, std = (np.asarray(x)[..., 0] for x in world.ensemble(jnp.eye(ARMS)))
        better = (mean[:, 1] > mean[:, 0]).mean()
        print(
            f"seed {seed}: the unseen arm is better in {better:.0%} of {len(mean)} members,"
            f" exploring earns {worth_of_exploring(mean, std):.2f} in {PULLS} pulls"
        )


if __name__ == "__main__":
    with reported_errors():
        main()
