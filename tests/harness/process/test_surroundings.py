"""Containers and clusters: no home, a home that cannot be written, JAX set up for other work."""

import os
import pwd
from pathlib import Path

import pytest

from harness.checkout import ROOT
from harness.process.surroundings import _CACHES, prepare
from harness.saving.array_cache import cache_root


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    for name in _CACHES:
        monkeypatch.delenv(name, raising=False)
    yield
    # what `prepare` set is not monkeypatch's to undo
    for name in _CACHES:
        os.environ.pop(name, None)


def test_a_user_without_a_home_uses_the_checkout_s_cache(monkeypatch, capsys):
    def unknown(uid):
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setenv("HOME", "")
    monkeypatch.delenv("HOME")
    with pytest.raises(RuntimeError):
        Path.home()
    prepare()
    assert Path.home() == ROOT / ".cache/home" and Path.home().is_dir()
    assert cache_root() == ROOT / ".cache/home/.cache/neubay-jax"
    told = capsys.readouterr().err
    assert told == f"note: this user has no home folder (HOME is not set): {Path.home()} is used\n"
    prepare()
    assert capsys.readouterr().err == "", "said once"


def test_a_home_that_cannot_be_written_keeps_its_data_but_no_caches(monkeypatch, capsys):
    monkeypatch.setenv("HOME", "/proc/nobody")
    prepare()
    assert os.environ["HOME"] == "/proc/nobody"
    assert cache_root() == ROOT / ".cache/neubay-jax"
    assert os.environ["WANDB_CACHE_DIR"] == str(ROOT / ".cache/wandb")
    assert "home folder /proc/nobody cannot be written" in capsys.readouterr().err
    prepare()
    assert capsys.readouterr().err == ""


def test_numbers_are_float32_whatever_jax_was_told(monkeypatch, capsys):
    for value, told in (("1", True), ("True", True), ("0", False), ("false", False)):
        monkeypatch.setenv("JAX_ENABLE_X64", value)
        prepare()
        assert "JAX_ENABLE_X64" not in os.environ
        assert ("JAX_ENABLE_X64 is ignored" in capsys.readouterr().err) == told
