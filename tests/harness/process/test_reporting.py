"""Lines that several processes say on one stream."""

import socket
import subprocess
import sys

import pytest

from harness.process import reporting, surroundings


@pytest.mark.parametrize(
    "call",
    [
        f"from {reporting.__name__} import say; say('stopped')",
        f"from {surroundings.__name__} import _note; _note('stopped')",
    ],
)
def test_a_line_is_one_write_which_no_other_process_cuts(call):
    """Where nothing is buffered, print writes a line and its end one after the other."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        subprocess.run([sys.executable, "-u", "-c", call], stderr=theirs, check=True)
        assert ours.recv(1000).endswith(b"stopped\n")
