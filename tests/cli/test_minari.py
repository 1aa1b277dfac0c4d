"""Minari's datasets given to the real commands."""

import gymnasium
import numpy as np
import pytest

from tests.cli.in_process import fail, run
from tests.cli.test_data import OWN
from tests.experience.walks import walks

MODEL = "offline_world/cont_ensemble.py"
EPISODES, STEPS = 5, 40
# minari warns of a dataset that names no environment
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:minari.utils")


def write(folder, dataset_id: str, space, *, actions=None, ended: bool = False) -> None:
    """Walks as Minari itself writes them; `ended`: each was terminated, and cut off as well."""
    import minari
    from minari.data_collector import EpisodeBuffer

    arrays = walks(EPISODES, STEPS, 3)
    last = np.arange(STEPS) == STEPS - 1
    buffers = []
    for number in range(EPISODES):
        rows = slice(number * STEPS, (number + 1) * STEPS)
        reached = arrays["next_observations"][rows]
        own = np.random.default_rng(number).uniform(space.low, space.high, (STEPS, *space.shape))
        buffers.append(
            EpisodeBuffer(
                id=number,
                observations=np.concatenate([arrays["observations"][rows], reached[-1:]]),
                actions=(own if actions is None else actions(own)).astype(space.dtype),
                rewards=arrays["rewards"][rows],
                terminations=last & ended,
                truncations=last,
                infos={},
            )
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINARI_DATASETS_PATH", str(folder))
        minari.create_dataset_from_buffers(
            dataset_id,
            buffers,
            observation_space=gymnasium.spaces.Box(-99, 99, (3,), np.float32),
            action_space=space,
            algorithm_name="random",
            author="a",
            author_email="a@example.org",
            code_permalink="https://example.org",
            description="walks",
        )


def train(folder, dataset_id: str, *settings: str):
    own = (*OWN, "ensemble.total_epochs=1", f"env.dataset_path=minari:{dataset_id}", *settings)
    return run(folder, MODEL, *own, MINARI_DATASETS_PATH=str(folder))


BOX = gymnasium.spaces.Box(-2, 2, (1,), np.float32)


def test_endings_that_are_also_cut_off_are_learned_from(tmp_path):
    write(tmp_path, "own/both-v0", BOX, ended=True)
    result = train(tmp_path, "own/both-v0", "env.allow_termination_mismatch=true")
    assert result.returncode == 0, result.stderr
    assert "5 of 200 rows (rows 39, 79, 119, 159, 199) are in 'terminals' and in" in result.stdout
    assert "transitions: 200 of the dataset's 200 rows (100.0%)" in result.stdout
    refused = train(tmp_path, "own/both-v0", "run_dir=refused", "ensemble.save_dir=refused")
    assert refused.returncode == 2 and "does not end 5 of 5 terminal rows" in refused.stderr


def test_actions_outside_their_own_box(tmp_path):
    write(tmp_path, "own/out-v0", BOX, actions=lambda own: 1.1 * np.sign(own) * 2)
    result = train(tmp_path, "own/out-v0")
    assert result.returncode == 2
    assert "where -1 and 1 are the bounds of the dataset's own action space" in result.stderr
    assert "env.clip_actions=true" in result.stderr
    result = train(tmp_path, "own/out-v0", "env.clip_actions=true")
    assert result.returncode == 0, result.stderr
    assert "actions clipped to [-1, 1] in 200 of 200 rows" in result.stdout


@pytest.mark.parametrize(
    ("kind", "box"),
    [
        ("bytes", gymnasium.spaces.Box(-128, 127, (1,), np.int8)),
        ("fixed", gymnasium.spaces.Box(1, 1, (1,), np.float32)),
    ],
)
def test_boxes_of_whole_numbers_and_dimensions_that_cannot_move(tmp_path, kind, box):
    write(tmp_path, f"own/{kind}-v0", box, actions=np.round)
    faulty = ("env.id=tests.experience.real.faulty:Faulty-v0", f"+env.kwargs.fault={kind}")
    result = train(tmp_path, f"own/{kind}-v0", *faulty, "env.horizon=30")
    assert result.returncode == 0, result.stderr
    assert "transitions: 195 of the dataset's 200 rows" in result.stdout


def test_bytes_are_pictures_to_minari(tmp_path):
    write(tmp_path, "own/uint8-v0", gymnasium.spaces.Box(0, 255, (1,), np.uint8), actions=np.round)
    result = train(tmp_path, "own/uint8-v0")
    assert result.returncode == 2 and "Traceback" not in result.stderr
    assert "minari keeps arrays of uint8 as JPEG pictures: collect it" in result.stderr


def test_a_dataset_that_is_not_here(tmp_path):
    own = (*OWN, "env.dataset_path=minari:own/none-v0")
    told = fail(tmp_path, MODEL, *own, MINARI_DATASETS_PATH=str(tmp_path))
    assert "minari download own/none-v0" in told
