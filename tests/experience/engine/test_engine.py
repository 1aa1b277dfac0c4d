"""MuJoCo 2.1.0's recordings under D4RL's and NeoRL's environments, on today's engine."""

import importlib.util
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from experience.engine import EngineInfo, install
from experience.wrapper import engine_info, make_env
from harness.errors import UserError

GOLDEN = Path(__file__).parents[2] / "golden" / "engine"
DOMAINS = {
    "halfcheetah": "d4rl_loco",
    "hopper": "d4rl_loco",
    "walker2d": "d4rl_loco",
    "HalfCheetah": "neorl",
    "Hopper": "neorl",
    "Walker2d": "neorl",
    "pen": "adroit",
    "door": "adroit",
    "hammer": "adroit",
    "antmaze": "antmaze",
}
RECORDINGS = sorted(path.stem for path in GOLDEN.glob("*.npz"))


def start_recording(name):
    """The recorded task's environment in the recording's initial state, and the recording."""
    recording = np.load(GOLDEN / f"{name}.npz")
    wrapped = make_env(DOMAINS[name.split("-")[0]], name)
    wrapped.reset(seed=0)
    env = wrapped.unwrapped
    if "model_body_pos" in recording:
        env.model.body_pos[:] = recording["model_body_pos"]
        env.model.body_quat[:] = recording["model_body_quat"]
        env.sim.reset()
    if "goal" in recording:
        env.set_target_goal(tuple(recording["goal"]))
    env.set_state(recording["qpos0"], recording["qvel0"])
    return env, recording


def state_of(env):
    return np.concatenate([env.sim.data.qpos, env.sim.data.qvel])


def test_every_recording_is_there():
    assert len(RECORDINGS) == 10


@pytest.mark.parametrize("name", RECORDINGS)
def test_follows_mujoco_210_until_chaos(name):
    env, recording = start_recording(name)
    spread = np.abs(recording["state_perturbed"] - recording["state"]).max(axis=1)
    chaotic = np.flatnonzero(spread >= 1e-6)
    steps = chaotic[0] if chaotic.size else len(spread)
    assert steps >= 30
    for step in range(steps):
        observation, reward, done, _ = env.step(recording["action"][step])
        np.testing.assert_allclose(state_of(env), recording["state"][step], rtol=0, atol=1e-8)
        np.testing.assert_allclose(observation, recording["observation"][step], rtol=0, atol=1e-8)
        assert reward == pytest.approx(recording["reward"][step], rel=0, abs=1e-8)
        assert done == recording["done"][step]


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_recorded_step_alone(name):
    """Beyond the onset of chaos each step still agrees, when it starts in the recorded state."""
    env, recording = start_recording(name)
    positions = env.model.nq
    for step in range(len(recording["action"]) - 1):
        before = recording["state"][step]
        env.set_state(before[:positions], before[positions:])
        observation, reward, done, _ = env.step(recording["action"][step + 1])
        np.testing.assert_allclose(state_of(env), recording["state"][step + 1], rtol=0, atol=1e-8)
        np.testing.assert_allclose(
            observation, recording["observation"][step + 1], rtol=0, atol=1e-8
        )
        assert reward == pytest.approx(recording["reward"][step + 1], rel=0, abs=1e-8)
        assert done == recording["done"][step + 1]


def test_capsule_formula_reproduces_mujoco_210s_table():
    """A hopper's foot weighed 5.089 kg in MuJoCo 2.1.0; today's engine makes it 5.316 kg."""
    env, _ = start_recording("hopper-medium-v2")
    foot = env.model.body_name2id("foot")
    assert env.model.body_mass[foot] == pytest.approx(5.0893800988154645, rel=1e-14)
    cheetah, _ = start_recording("halfcheetah-medium-v2")
    torso = cheetah.model.body_name2id("torso")
    assert cheetah.model.body_mass.sum() == pytest.approx(14, rel=1e-14)
    assert cheetah.model.body_mass[torso] == pytest.approx(6.360313315926893, rel=1e-14)
    np.testing.assert_allclose(
        cheetah.model.body_ipos[torso], [0.149137931034, 0, 0.024856321839], rtol=0, atol=1e-12
    )


def test_unstable_simulation_raises_and_leaves_no_log_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    env, _ = start_recording("hopper-medium-v2")
    import mujoco_py

    with pytest.raises(mujoco_py.MujocoException, match="unstable"):
        env.step(np.full(3, np.nan))
    assert not list(tmp_path.iterdir())


def test_names_that_a_model_lacks_are_errors():
    env, _ = start_recording("hopper-medium-v2")
    with pytest.raises(ValueError, match="nose"):
        env.model.body_name2id("nose")


@pytest.mark.parametrize(
    "name", ["hopper-medium-v2", "Hopper-v3-low", "antmaze-umaze-v2", "pen-human-v1"]
)
def test_pictures_without_a_screen(name, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    env = make_env(DOMAINS[name.split("-")[0]], name)
    env.reset(seed=0)
    first = env.render(mode="rgb_array", width=120, height=90)
    assert first.shape == (90, 120, 3) and first.dtype == np.uint8 and first.std() > 5
    for _ in range(5):
        env.step(np.ones(env.action_space.shape, np.float32))
    later = env.render(mode="rgb_array", width=120, height=90)
    assert (later != first).any()
    with pytest.raises(UserError, match="no window to draw in: call env.render"):
        env.render(mode="human")
    env.close()


def test_without_a_library_that_draws_the_packages_are_named(monkeypatch):
    from experience.engine import camera

    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr(camera, "find_library", lambda name: None)
    env = make_env("d4rl_loco", "hopper-medium-v2")
    env.reset(seed=0)
    with pytest.raises(UserError, match="drawing needs a library .* libosmesa6"):
        env.render(mode="rgb_array")


def test_own_environments_draw_as_gymnasium_does():
    with closing(make_env("pendulum", "p")) as env:
        env.reset(seed=0)
        with pytest.raises(UserError, match="does not draw mode=depth_array; it draws human, rgb"):
            env.render(mode="depth_array")
        if importlib.util.find_spec("pygame") is None:
            with pytest.raises(UserError, match="env.id=Pendulum-v1 cannot be drawn here: pygame"):
                env.render(mode="rgb_array")
        else:
            assert env.render(mode="rgb_array").std() > 5


def test_engine_info_and_unknown_engine():
    import gymnasium
    import mujoco

    assert install() == install("mujoco") == EngineInfo("mujoco", mujoco.__version__)
    assert engine_info("antmaze") == install()
    assert engine_info("pendulum") == EngineInfo("gymnasium", gymnasium.__version__)
    with pytest.raises(UserError, match="engine=brax"):
        install("brax")
    with pytest.raises(UserError, match="already runs on engine=mujoco"):
        install("mujoco_py")


def run_python(code, *search_path):
    """A fresh interpreter's stdout and stderr, every warning enabled."""
    path = ":".join([*map(str, search_path), *filter(None, sys.path)])
    result = subprocess.run(
        [sys.executable, "-W", "default", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "", "PYTHONPATH": path, "HOME": str(search_path[0])},
    )
    return result.stdout, result.stderr


def test_nothing_on_the_screen(tmp_path):
    """No notice about gym's age or numpy 2, no failed suites, no AntMaze goals."""
    code = """
from experience.real.oracle import make_oracle
from experience.wrapper import make_env
make_oracle("d4rl_loco", "hopper-medium-v2")
for domain, name in [("antmaze", "antmaze-umaze-v2"), ("adroit", "pen-human-v1"),
                     ("neorl", "Walker2d-v3-low"), ("pendulum", "p")]:
    env = make_env(domain, name)
    env.reset(seed=0)
    env.step(env.action_space.sample())
    env.reset()
"""
    stdout, stderr = run_python(code, tmp_path)
    assert (stdout, stderr) == ("", "")


INSTALL_REAL = """
from harness.errors import UserError
from experience.engine import install
try:
    print(install("mujoco_py"))
except UserError as error:
    print("UserError", error)
"""


def test_real_mujoco_py_that_does_not_import(tmp_path):
    (tmp_path / "mujoco_py.py").write_text("raise ImportError('no MuJoCo 2.1.0 here')\n")
    stdout, _ = run_python(INSTALL_REAL, tmp_path)
    assert "UserError engine=mujoco_py" in stdout and "no MuJoCo 2.1.0 here" in stdout


def test_a_message_over_many_lines_is_told_on_one(tmp_path):
    """As of mujoco_py without MuJoCo 2.1.0, in whose message the first line is empty."""
    message = (
        "\nYou appear to be missing MuJoCo.  We expected the file here: /home\n\n" + "and " * 99
    )
    (tmp_path / "mujoco_py.py").write_text(f"raise Exception({message!r})\n")
    stdout, _ = run_python(INSTALL_REAL, tmp_path)
    expected = (
        "Exception: You appear to be missing MuJoCo. We expected the file here: /home and and "
    )
    assert expected in stdout and " and …; install MuJoCo 2.1.0" in stdout
    assert len(stdout.splitlines()) == 1 and len(stdout) < 500


def test_real_mujoco_py_is_used_where_it_imports(tmp_path):
    """A package of that name in the user's path wins over the look-alike."""
    lookalike = (Path(__file__).parents[3] / "experience" / "engine" / "lookalike.py").read_text()
    (tmp_path / "mujoco_py.py").write_text(lookalike.replace("2.1.2.14", "2.1.2.99"))
    code = (
        INSTALL_REAL
        + """
from experience.wrapper import make_env
env = make_env("adroit", "pen-human-v1", engine="mujoco_py")
env.reset(seed=0)
print(type(env.unwrapped.sim).__module__)
try:
    install("mujoco")
except UserError as error:
    print("UserError", error)
"""
    )
    stdout, _ = run_python(code, tmp_path)
    first, module, other = stdout.splitlines()
    assert first == "EngineInfo(name='mujoco_py', version='2.1.2.99')"
    assert module == "mujoco_py"
    assert "already imported the real mujoco_py" in other
