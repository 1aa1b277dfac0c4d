"""Where a replay goes, on machines that are not here."""

from unittest.mock import Mock

import jax
import pytest

from experience import replay_placement
from experience.replay import replay_bytes
from experience.replay_placement import ReplaySize
from harness.errors import UserError

CPU = jax.local_devices(backend="cpu")[0]
ROWS = 1000
BYTES = replay_bytes(ROWS, 2, 1)


def place(setting, *, on_gpu, on_host, monkeypatch, count=1, dtype="float32", then="place"):
    """Place replays of 1000 rows beside an accelerator, with these bytes free on both sides."""
    statistics = None if on_gpu is None else {"bytes_limit": on_gpu + 50, "bytes_in_use": 50}
    gpu = Mock(
        spec=jax.Device, platform="gpu", memory_stats=lambda: statistics, local_hardware_id=0
    )
    # no nvidia-smi
    monkeypatch.setenv("PATH", "")
    local = lambda backend=None: [gpu if backend is None else CPU]  # noqa: E731
    monkeypatch.setattr(replay_placement.jax, "local_devices", local)
    monkeypatch.setattr(replay_placement, "free_host_bytes", lambda: on_host)
    size = ReplaySize(
        capacity=ROWS, state_dim=2, action_dim=1, longest=10, dtype=dtype, count=count
    )
    if then == "choose":
        return replay_placement.choose_place(setting, size)
    (replay, *_), on_device = replay_placement.place_replays(setting, size, at_once=1)
    return replay, on_device


def test_what_does_not_fit_the_accelerator_goes_to_the_host(monkeypatch, capsys):
    replay, on_device = place("auto", on_gpu=BYTES, on_host=2 * BYTES, monkeypatch=monkeypatch)
    assert not on_device and replay.state.device == CPU
    assert f"1,000 rows, {BYTES:,} bytes" in capsys.readouterr().out


def test_an_accelerator_that_is_too_small_is_answered_with_the_host(monkeypatch):
    with pytest.raises(UserError, match="train.replay=host keeps it in the host's memory"):
        place("device", on_gpu=BYTES, on_host=2 * BYTES, monkeypatch=monkeypatch)


def test_a_host_that_is_too_small_is_told(monkeypatch):
    sentence = f"needs {BYTES:,} bytes.* of the host at most 80% may be used: give a smaller"
    with pytest.raises(UserError, match=sentence):
        place("host", on_gpu=10 * BYTES, on_host=BYTES, monkeypatch=monkeypatch)


def test_the_replays_of_several_seeds_must_fit_the_accelerator_together(monkeypatch):
    room = {"on_gpu": 3 * BYTES, "on_host": 99 * BYTES, "monkeypatch": monkeypatch, "count": 3}
    sentence = f"3 replays of train.buffer_size=1000 rows need {3 * BYTES:,} .* or fewer seeds$"
    for setting in ("auto", "device"):
        with pytest.raises(UserError, match=sentence):
            place(setting, **room)
    with pytest.raises(UserError, match="train.replay=host is for a single agent"):
        place("host", **room)


def test_an_accelerator_of_unknown_memory_is_used_where_it_is_asked_for_only(monkeypatch):
    """No statistics and no nvidia-smi: the host's memory is not the card's."""
    room = {"on_gpu": None, "on_host": 2 * BYTES, "then": "choose", "monkeypatch": monkeypatch}
    asked, chosen = place("device", **room), place("auto", **room)
    assert asked.is_on_device and asked.room == "the device's free memory is unknown"
    assert not chosen.is_on_device
    assert chosen.room.endswith("memory is unknown: train.replay=device takes it there")
    assert place("auto", count=2, **room).is_on_device


def test_half_as_many_bytes_are_offered_where_they_are_few_enough(monkeypatch):
    half = replay_bytes(ROWS, 2, 1, "bfloat16")
    for room, offered in ((BYTES, True), (half, False)):
        with pytest.raises(UserError) as refused:
            place("host", on_gpu=0, on_host=room, monkeypatch=monkeypatch)
        assert ("or train.replay_dtype=bfloat16" in str(refused.value)) == offered
    replay, _ = place("host", on_gpu=0, on_host=BYTES, monkeypatch=monkeypatch, dtype="bfloat16")
    assert replay.state.dtype == replay.action.dtype == "bfloat16"
