import hashlib
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from harness.download.checked import Patience, fetch_file
from harness.download.partial_file import PartialFile
from harness.errors import UserError
from tests.harness.download.file_server import FileServer, Served

PATH = "/data/walker.bin"
CONTENT = np.random.default_rng(0).bytes(1_000_000)
MD5 = hashlib.md5(CONTENT).hexdigest()
QUICK = Patience(attempts=4, backoff=0.01, timeout=5.0)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = FileServer()
    yield server
    server.close()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "datasets" / "walker.bin"


def leftovers(target):
    """What lies next to the final file, locks aside."""
    names = {path.name for path in target.parent.iterdir()}
    return {name for name in names if not name.endswith(".lock")} - {target.name}


def fetch(server, target, **options):
    return fetch_file(
        server.url + PATH, target, **{"md5": MD5, "verify": None, "patience": QUICK, **options}
    )


def test_downloads_into_new_folder_then_reuses_the_file(server, target):
    server.files[PATH] = Served(CONTENT)
    progress = []

    assert fetch(server, target, on_progress=lambda *now: progress.append(now))
    assert target.read_bytes() == CONTENT
    assert leftovers(target) == set()
    assert progress[0] == (0, len(CONTENT))
    assert progress[-1] == (len(CONTENT), len(CONTENT))

    assert not fetch(server, target)
    assert len(server.requests) == 1


def test_cut_connections_are_continued_where_they_ended(server, target):
    server.files[PATH] = Served(CONTENT, cuts=[300_000, 300_000])
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    first, *later = server.ranges_asked(PATH)
    assert first is None
    starts = [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in later]
    assert len(starts) == 2
    assert 200_000 < starts[0] < starts[1] < 600_001


def test_attempts_that_bring_something_are_not_counted(server, target):
    server.files[PATH] = Served(CONTENT, cuts=[200_000] * 4)
    fetch(server, target, patience=Patience(attempts=2, backoff=0.01))
    assert target.read_bytes() == CONTENT
    assert len(server.requests) == 5


def test_every_byte_that_arrived_is_kept(server, target):
    """Connections are cut anywhere, not at the ends of our blocks."""
    cut = 20_001
    server.files[PATH] = Served(CONTENT[: 4 * cut], cuts=[cut] * 3)
    part = PartialFile(target)
    with pytest.raises(UserError):
        fetch(server, target, md5=None, patience=Patience(attempts=1))
    assert part.path.read_bytes() == CONTENT[:cut]
    fetch(server, target, md5=None, patience=Patience(attempts=2, backoff=0.01))
    assert target.read_bytes() == CONTENT[: 4 * cut]
    starts = [None, *(f"bytes={k * cut}-" for k in (1, 2, 3))]
    assert server.ranges_asked(PATH) == starts


def test_attempts_that_bring_the_same_again_are_counted(server, target):
    server.files[PATH] = Served(CONTENT, cuts=[200_000] * 20, ranges=False)
    with pytest.raises(UserError, match="brought nothing"):
        fetch(server, target)
    assert len(server.requests) <= QUICK.attempts + 1


def test_ranges_that_are_answered_in_slices(server, target):
    """HTTP allows a server to send less than the range that was asked for."""
    server.files[PATH] = Served(CONTENT, cuts=[400_000], longest_range=250_000)
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert None not in server.ranges_asked(PATH)[1:]


def test_server_without_ranges_is_read_from_the_start_again(server, target):
    server.files[PATH] = Served(CONTENT, cuts=[400_000, 500_000], ranges=False)
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert len(server.requests) == 3


def test_slow_server_is_waited_for(server, target):
    # Every block comes well within the silence allowed, all of them together do not.
    server.files[PATH] = Served(CONTENT, seconds_per_block=0.08)
    fetch(server, target, patience=Patience(attempts=1, timeout=1.0))
    assert target.read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_silent_server_is_given_up_and_asked_again(server, target):
    server.files[PATH] = Served(CONTENT, seconds_per_block=0.5, block=600_000, ranges=False)
    notices = []
    with pytest.raises(UserError, match="attempts in a row brought nothing"):
        fetch(
            server,
            target,
            patience=Patience(attempts=2, backoff=0.01, timeout=0.1),
            on_notice=notices.append,
        )
    assert "timed out" in notices[0]
    assert not target.exists()


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_passing_failures_are_tried_again(server, target, status):
    server.files[PATH] = Served(CONTENT, failures=[status, status])
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert len(server.requests) == 3


def test_lasting_503_ends_after_the_given_attempts(server, target):
    server.files[PATH] = Served(CONTENT, failures=[503] * 20)
    with pytest.raises(UserError, match="503") as error:
        fetch(server, target)
    assert len(server.requests) == QUICK.attempts
    for needed in (server.url + PATH, target.name, str(target.parent)):
        assert needed in str(error.value)
    assert not target.exists()


def test_404_is_final_at_once(server, target):
    with pytest.raises(UserError, match="404") as error:
        fetch(server, target)
    assert len(server.requests) == 1
    for needed in (server.url + PATH, target.name, str(target.parent)):
        assert needed in str(error.value)
    assert not target.exists()


def test_nobody_listening(target):
    server = FileServer()
    server.close()
    with pytest.raises(UserError, match="refused"):
        fetch(server, target)


def test_malformed_url(target):
    with pytest.raises(UserError, match="not-a-url"):
        fetch_file("not-a-url", target, patience=QUICK)


def test_web_page_with_status_200(server, target):
    server.files[PATH] = Served(b"<html>we moved</html>", content_type="text/html; charset=utf-8")
    with pytest.raises(UserError, match="web page"):
        fetch(server, target, md5=None)
    assert not target.exists()
    assert leftovers(target) == set()


def test_wrong_md5_is_never_published(server, target):
    server.files[PATH] = Served(CONTENT[:-1] + b"?")
    with pytest.raises(UserError, match=MD5):
        fetch(server, target)
    assert not target.exists()
    assert leftovers(target) == set()
    assert server.ranges_asked(PATH) == [None, None]


def test_silent_truncation_is_found_by_verification(server, target):
    """Without Content-Length a cut looks like the end of the file."""
    server.files[PATH] = Served(CONTENT, says_length=False, cuts=[500_000])
    fetch(server, target)
    assert target.read_bytes() == CONTENT


def test_verify_decides(server, target):
    server.files[PATH] = Served(CONTENT)

    def verify(path):
        raise UserError(f"{path.name} lacks the key 'actions'")

    with pytest.raises(UserError, match="lacks the key 'actions'"):
        fetch(server, target, md5=None, verify=verify)
    assert not target.exists()


def test_damaged_file_of_the_user_is_set_aside_and_replaced(server, target):
    server.files[PATH] = Served(CONTENT)
    target.parent.mkdir()
    target.write_bytes(CONTENT[:1000])
    notices = []
    assert fetch(server, target, on_notice=notices.append)
    assert target.read_bytes() == CONTENT
    assert target.with_name("walker.bin.damaged").read_bytes() == CONTENT[:1000]
    assert "damaged" in notices[0]


def test_damaged_file_and_dead_server_leave_nothing_under_the_final_name(server, target):
    target.parent.mkdir()
    target.write_bytes(CONTENT[:1000])
    with pytest.raises(UserError, match="404"):
        fetch(server, target)
    assert not target.exists()
    assert leftovers(target) == {"walker.bin.damaged"}


def test_part_of_an_older_file_is_not_continued(server, target):
    older = CONTENT[::-1]
    server.files[PATH] = Served(older, cuts=[400_000] * 2)
    with pytest.raises(UserError):
        fetch(server, target, md5=None, patience=Patience(attempts=1))
    assert PartialFile(target).size() > 300_000

    server.files[PATH] = Served(CONTENT)
    fetch(server, target, md5=None)
    assert target.read_bytes() == CONTENT
    assert server.ranges_asked(PATH)[-1].startswith("bytes=")


def test_server_without_validators_is_continued_by_size_alone(server, target):
    server.files[PATH] = Served(CONTENT, cuts=[400_000], etag=False)
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert server.ranges_asked(PATH)[-1].startswith("bytes=")


def test_part_from_another_address_is_not_continued(server, target):
    """Two files of one size and name, and a server that gives no validators."""
    other = "/mirror" + PATH
    server.files[other] = Served(CONTENT[::-1], cuts=[400_000], etag=False)
    with pytest.raises(UserError):
        fetch_file(server.url + other, target, patience=Patience(attempts=1))
    server.files[PATH] = Served(CONTENT, etag=False)
    fetch(server, target, md5=None)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("newer", [CONTENT[::-1] + b"more", CONTENT[:100_000]])
def test_size_that_changed_between_attempts_starts_over(server, target, newer):
    server.files[PATH] = Served(CONTENT, cuts=[400_000], etag=False)
    with pytest.raises(UserError):
        fetch(server, target, md5=None, patience=Patience(attempts=1))
    assert PartialFile(target).size() > 300_000

    server.files[PATH] = Served(newer, etag=False)
    fetch(server, target, md5=None)
    assert target.read_bytes() == newer


@pytest.mark.parametrize("options", [{"attempts": 0}, {"backoff": -1.0}, {"timeout": 0.0}])
def test_senseless_patience(options):
    with pytest.raises(UserError, match=next(iter(options))):
        Patience(**options)


def test_waits_double_up_to_the_longest_and_honour_the_server():
    patience = Patience(backoff=1.0, longest_wait=5.0)
    assert [patience.wait(n, 0.0) for n in (1, 2, 3, 4)] == [1.0, 2.0, 4.0, 5.0]
    assert patience.wait(1, 3.0) == 3.0
    assert patience.wait(1, 3600.0) == 5.0


@pytest.mark.parametrize("origin", [None, "{", '{"url": 1}', "[]", '{"url":"x","size":9}'])
def test_part_of_unknown_origin_is_not_continued(server, target, origin):
    target.parent.mkdir()
    target.with_name("walker.bin.part").write_bytes(b"x" * 400_000)
    if origin is not None:
        target.with_name("walker.bin.part.json").write_text(origin)
    server.files[PATH] = Served(CONTENT)
    fetch(server, target, md5=None)
    assert target.read_bytes() == CONTENT
    assert server.ranges_asked(PATH) == [None]


def test_announced_size_beyond_the_disk(server, target):
    server.files[PATH] = Served(CONTENT, announced_length=10**18)
    with pytest.raises(UserError, match=r"disk of .* is full"):
        fetch(server, target)
    assert not target.exists()


def test_disk_that_fills_up_midway(server, target):
    """RLIMIT_FSIZE makes the kernel refuse the write, as a full disk does."""
    server.files[PATH] = Served(CONTENT)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, hard))
    try:
        with pytest.raises(UserError, match=r"disk of .* is full"):
            fetch(server, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not target.exists()

    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert server.ranges_asked(PATH)[-1].startswith("bytes=")


def test_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "datasets").write_text("a file where the folder should be")
    with pytest.raises(UserError, match="datasets"):
        fetch(server, tmp_path / "datasets" / "walker.bin")


PROGRAM = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from harness.download.checked import fetch_file
    url, path, md5 = sys.argv[1:]
    new = fetch_file(url, Path(path), md5=md5, on_notice=lambda text: print(text, flush=True))
    print("downloaded" if new else "present")
    """
)


def start_process(server, target):
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, server.url + PATH, str(target), MD5],
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "what the test waits for did not happen"
        time.sleep(0.01)


def test_killed_process_is_continued_by_the_next(server, target):
    server.files[PATH] = Served(CONTENT, seconds_per_block=0.1)
    process = start_process(server, target)
    wait_until(lambda: PartialFile(target).size() > 200_000)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not target.exists()

    server.files[PATH].seconds_per_block = 0.0
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    start = int(server.ranges_asked(PATH)[-1].removeprefix("bytes=").removesuffix("-"))
    assert start > 200_000


def test_two_processes_download_once(server, target):
    server.files[PATH] = Served(CONTENT, seconds_per_block=0.1)
    first = start_process(server, target)
    wait_until(lambda: PartialFile(target).size() > 0)
    second = start_process(server, target)
    outputs = [process.communicate(timeout=60)[0] for process in (first, second)]
    assert [process.returncode for process in (first, second)] == [0, 0]
    assert outputs[0].splitlines() == ["downloaded"]
    assert "waiting" in outputs[1] and outputs[1].splitlines()[-1] == "present"
    assert target.read_bytes() == CONTENT
    assert len(server.requests) == 1
