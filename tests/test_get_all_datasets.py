"""The command against a real server: right files or clear errors, and the exit code."""

import dataclasses
import hashlib
import importlib.util
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import h5py
import numpy as np
import pytest
from rich.console import Console

from catalogue.domains import PUBLISHED
from experience.data.download import download_datasets
from experience.data.published import published_files
from harness.download.checked import Patience
from tests.cli import in_process, programs
from tests.harness.download.file_server import FileServer, Served

STEPS = 400


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = FileServer()
    yield server
    server.close()


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("D4RL_DATASET_DIR", str(tmp_path / "d4rl"))
    monkeypatch.setenv("NEORL_DATASET_DIR", str(tmp_path / "neorl"))
    return tmp_path


def d4rl_bytes(states, actions, *, next_observations, bad_value=None):
    random = np.random.default_rng(0)
    observations = random.normal(size=(STEPS + 1, states)).astype("f4")
    if bad_value is not None:
        observations[17, 0] = bad_value
    timeouts = np.arange(1, STEPS + 1) % 100 == 0
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["observations"] = observations[:-1]
        if next_observations:
            file["next_observations"] = observations[1:]
        file["actions"] = random.uniform(-1, 1, size=(STEPS, actions)).astype("f4")
        file["rewards"] = random.normal(size=STEPS).astype("f4")
        file["terminals"] = np.zeros(STEPS, bool)
        file["timeouts"] = timeouts
        file["metadata/algorithm"] = "SAC"
    return stream.getvalue()


HOPPER = d4rl_bytes(11, 3, next_observations=True)
PEN = d4rl_bytes(45, 24, next_observations=False)


def path_of(name):
    return urlsplit(published_files()[name].url).path


def command(server, *arguments):
    """The script and its arguments, with patience for a test's server."""
    quick = ("--attempts", "3", "--backoff", "0.01", "--timeout", "10", "--mirror", server.url)
    return ["get_all_datasets.py", *quick, *arguments]


def run(folders, server, *arguments):
    return in_process.run(folders, *command(server, *arguments))


def files_in(folder):
    """Everything but locks."""
    return {path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"}


def test_downloads_go_to_their_folders_and_are_verified_the_next_time(server, folders):
    server.files[path_of("hopper-medium-v2")] = Served(HOPPER, cuts=[20_000])
    server.files[path_of("pen-human-v1")] = Served(PEN, failures=[503])
    first = run(folders, server, "hopper-medium-v2", "pen-human-v1")
    assert first.returncode == 0, first.stderr
    assert first.stdout.count("downloaded") == 2
    assert (folders / "d4rl" / "hopper_medium-v2.hdf5").read_bytes() == HOPPER
    assert (folders / "d4rl" / "pen-human-v1.hdf5").read_bytes() == PEN
    assert files_in(folders) == {"hopper_medium-v2.hdf5", "pen-human-v1.hdf5"}

    asked = len(server.requests)
    second = run(folders, server, "hopper-medium-v2", "pen-human-v1")
    assert second.returncode == 0, second.stderr
    assert second.stdout.count("on disk") == 2
    assert f"{len(HOPPER) / 1e6:.1f} MB" in second.stdout
    assert len(server.requests) == asked


def test_bytes_of_a_server_that_gives_up_are_kept_and_the_next_command_goes_on(server, folders):
    """Fewer bytes than one of the blocks in which a file is read."""
    path = path_of("hopper-medium-v2")
    server.files[path] = Served(HOPPER, cuts=[20_000, 0, 0])
    first = run(folders, server, "hopper-medium-v2")
    assert first.returncode == 1 and "Traceback" not in first.stderr
    part = folders / "d4rl/hopper_medium-v2.hdf5.part"
    assert part.read_bytes() == HOPPER[:20_000]
    asked = len(server.requests)
    second = run(folders, server, "hopper-medium-v2")
    assert second.returncode == 0, second.stderr
    assert server.ranges_asked(path)[asked:] == ["bytes=20000-"]
    assert part.with_suffix("").read_bytes() == HOPPER and files_in(folders) == {part.stem}


def test_one_failure_does_not_stop_the_others_and_shows_in_the_exit_code(server, folders):
    server.files[path_of("pen-human-v1")] = Served(PEN)
    done = run(folders, server, "hopper-medium-v2", "pen-human-v1")
    assert done.returncode == 1
    assert "404" in done.stderr
    for needed in (
        server.url + path_of("hopper-medium-v2"),
        "hopper_medium-v2.hdf5",
        str(folders / "d4rl"),
    ):
        assert needed in done.stderr
    assert "failed" in done.stdout and "downloaded" in done.stdout
    assert files_in(folders) == {"pen-human-v1.hdf5"}


@pytest.mark.parametrize(
    ("served", "reason"),
    [
        (Served(HOPPER[: len(HOPPER) // 2]), "truncated or not an HDF5 file"),
        (Served(b"<html>gone</html>", content_type="text/html"), "web page"),
        (Served(b"<html>gone</html>"), "truncated or not an HDF5 file"),
        (Served(b""), "truncated or not an HDF5 file"),
        (Served(PEN), "45"),
        (Served(d4rl_bytes(11, 3, next_observations=False)), "next_observations"),
        (Served(d4rl_bytes(11, 3, next_observations=True, bad_value=np.nan)), "NaN"),
    ],
    ids=["half", "web page", "disguised web page", "empty", "other task", "missing key", "nan"],
)
def test_bad_hdf5_never_gets_the_final_name(server, folders, served, reason):
    server.files[path_of("hopper-medium-v2")] = served
    done = run(folders, server, "hopper-medium-v2")
    assert done.returncode == 1
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    assert files_in(folders) == set()


def test_neorl_file_with_wrong_md5_never_gets_the_final_name(server, folders):
    content = np.random.default_rng(0).bytes(1000)
    server.files[path_of("Hopper-v3-low")] = Served(content)
    done = run(folders, server, "Hopper-v3-low")
    assert done.returncode == 1
    assert hashlib.md5(content).hexdigest() in done.stderr
    assert "95a0c17014ba9fc45e739c820f3910ef" in done.stderr
    assert files_in(folders) == set()


def neorl_bytes(states):
    random = np.random.default_rng(0)
    observations = random.normal(size=(STEPS + 1, states)).astype("f4")
    stream = io.BytesIO()
    np.savez(
        stream,
        obs=observations[:-1],
        next_obs=observations[1:],
        action=random.uniform(-1, 1, size=(STEPS, 3)).astype("f4"),
        reward=random.normal(size=(STEPS, 1)).astype("f4"),
        done=(np.arange(1, STEPS + 1) % 100 == 0).astype("f4")[:, None],
        index=np.arange(100.0, STEPS, 100.0),
    )
    return stream.getvalue()


@pytest.mark.parametrize(("states", "status"), [(12, "downloaded"), (11, "failed")])
def test_neorl_contents_are_checked_as_well(server, folders, states, status):
    """The published checksums belong to files that no test has, so this one brings its own."""
    content = neorl_bytes(states)
    file = published_files(server.url)["Hopper-v3-low"]
    server.files[path_of("Hopper-v3-low")] = Served(content)
    file = dataclasses.replace(file, md5=hashlib.md5(content).hexdigest())
    (outcome,) = download_datasets([file], Patience(), Console(stderr=True))
    assert outcome.status == status
    expected = {"Hopper-v3-low-1000-train-noise.npz"} if status == "downloaded" else set()
    assert files_in(folders) == expected


def test_truncated_file_of_an_interrupted_d4rl_download_is_replaced(server, folders):
    server.files[path_of("hopper-medium-v2")] = Served(HOPPER)
    target = folders / "d4rl" / "hopper_medium-v2.hdf5"
    target.parent.mkdir()
    target.write_bytes(HOPPER[:30_000])
    done = run(folders, server, "hopper-medium-v2")
    assert done.returncode == 0, done.stderr
    assert target.read_bytes() == HOPPER
    assert "damaged" in done.stderr


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_stopped_command_continues(server, folders, stop):
    # HDF5 tolerates bytes after its end; they make the file long enough to be stopped midway.
    content = HOPPER + bytes(300_000)
    served = Served(content, seconds_per_block=0.1, block=30_000)
    server.files[path_of("hopper-medium-v2")] = served
    target = folders / "d4rl" / "hopper_medium-v2.hdf5"
    part = target.with_name(target.name + ".part")
    process = subprocess.Popen(
        [sys.executable, *command(server, "hopper-medium-v2")],
        cwd=programs.REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background of a shell would hand down a SIGINT that is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size > 0):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, stop)
    _, said = process.communicate(timeout=60)
    assert not target.exists()
    if stop != signal.SIGKILL:
        assert process.returncode == 128 + stop
        assert "the same command continues" in said and "Traceback" not in said

    served.seconds_per_block = 0.0
    done = run(folders, server, "hopper-medium-v2")
    assert done.returncode == 0, done.stderr
    assert target.read_bytes() == content
    assert server.ranges_asked(path_of("hopper-medium-v2"))[-1].startswith("bytes=")


def test_without_names_all_33_are_asked_for(server, folders):
    server.files[path_of("hopper-medium-v2")] = Served(HOPPER)
    done = run(folders, server)
    assert done.returncode == 1
    assert {path for path, _ in server.requests} == {path_of(name) for name in published_files()}
    assert done.stdout.count("failed") == 32 and done.stdout.count("downloaded") == 1
    assert files_in(folders) == {"hopper_medium-v2.hdf5"}


def test_unknown_names_are_an_error_before_anything_is_downloaded(server, folders):
    server.files[path_of("hopper-medium-v2")] = Served(HOPPER)
    done = programs.run(folders, *command(server, "hopper-medium-v2", "hopper-medum-replay-v2"))
    assert done.returncode == 2
    assert "'hopper-medum-replay-v2'" in done.stderr and "hopper-medium-replay-v2" in done.stderr
    assert "Traceback" not in done.stderr
    assert server.requests == []


@pytest.mark.parametrize(
    "arguments",
    [
        *(("--mirror", "ftp://somewhere"), ("--domain", "x"), ("--attempts", "0")),
        *(("--timeout", "0"), ("--timeout", "inf"), ("--backoff", "-1")),
    ],
)
def test_senseless_options_are_errors(server, folders, arguments):
    done = run(folders, server, *arguments)
    assert done.returncode == 2
    assert "error: " in done.stderr and "Traceback" not in done.stderr


def test_list_shows_all_and_what_is_on_disk(server, folders):
    (folders / "d4rl").mkdir()
    (folders / "d4rl" / "pen-human-v1.hdf5").write_bytes(PEN)
    done = run(folders, server, "--list")
    assert done.returncode == 0
    rows = {
        name: line
        for name in published_files()
        for line in done.stdout.splitlines()
        if name in line
    }
    assert len(rows) == 33
    assert [name for name, row in rows.items() if "on disk" in row] == ["pen-human-v1"]
    assert server.requests == []


def test_dry_run_says_what_it_would_do_and_does_nothing(server, folders):
    (folders / "d4rl").mkdir()
    (folders / "d4rl" / "pen-human-v1.hdf5").write_bytes(PEN)
    done = run(folders, server, "--dry-run", "--domain", "neorl", "pen-human-v1")
    assert done.returncode == 0
    lines = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert len(lines) == 10
    assert lines["pen-human-v1"] == f"verify {folders / 'd4rl' / 'pen-human-v1.hdf5'}"
    hopper = "Hopper-v3-high-1000-train-noise.npz"
    assert lines["Hopper-v3-high"] == (
        f"download {server.url}/v2/Hopper-v3/{hopper} to {folders / 'neorl' / hopper}"
    )
    assert server.requests == [] and files_in(folders) == {"pen-human-v1.hdf5"}


def test_published_datasets_are_those_of_the_paper():
    counts = {domain: 0 for domain in PUBLISHED}
    for file in published_files().values():
        counts[file.domain] += 1
    assert counts == {"d4rl_loco": 12, "adroit": 6, "antmaze": 6, "neorl": 9}


def test_d4rl_addresses_and_places_are_d4rls_own(folders):
    # d4rl.infos alone, because importing the package d4rl starts MuJoCo.
    package = importlib.util.find_spec("d4rl")
    source = Path(package.submodule_search_locations[0]) / "infos.py"
    spec = importlib.util.spec_from_file_location("d4rl_infos", source)
    infos = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(infos)
    for name, file in published_files().items():
        if file.domain != "neorl":
            assert file.url == infos.DATASET_URLS[name]
            assert file.path == folders / "d4rl" / file.url.rsplit("/", 1)[1]
