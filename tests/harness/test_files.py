import errno
import re

import numpy as np
import pytest

from harness.arrays import read_npz, write_npz
from harness.errors import LostDirectoryError, UserError
from harness.files import atomic_write, disk_errors, write_text
from harness.run.directory import is_record


def test_an_error_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    write_text(path, "old")
    with pytest.raises(KeyError), atomic_write(path) as temporary:
        temporary.write_text("half")
        raise KeyError
    assert path.read_text() == "old"
    write_text(path, "new")
    assert path.read_text() == "new"
    assert [child.name for child in path.parent.iterdir()] == ["file.txt"]


def test_processes_of_one_number_on_two_machines_do_not_write_into_one_file(tmp_path):
    path = tmp_path / ("x" * 200 + ".hdf5")
    with atomic_write(path) as one, atomic_write(path) as other:
        one.write_text("one")
        other.write_text("other")
        assert one.read_text() == "one"
        # hidden, and known to whoever asks what a run's folder holds
        assert one.name.startswith(f".{path.name}.") and not is_record(one.name)
    assert path.read_text() == "one" and list(tmp_path.iterdir()) == [path]


def test_a_file_where_a_folder_should_be_is_a_sentence(tmp_path):
    (tmp_path / "README.md").write_text("read me")
    for name in ("README.md/scores.md", "README.md/deeper/scores.md"):
        with pytest.raises(LostDirectoryError, match=re.escape(f"{name} could not be written")):
            write_text(tmp_path / name, "")
    assert (tmp_path / "README.md").read_text() == "read me"


@pytest.mark.parametrize("compressed", [False, True])
def test_arrays_are_as_numpy_writes_them(tmp_path, compressed):
    arrays = {"a": np.zeros(99), "b": np.arange(3)}
    write_npz(tmp_path / "ours.npz", arrays, compressed=compressed)
    (np.savez_compressed if compressed else np.savez)(tmp_path / "theirs.npz", **arrays)
    assert (tmp_path / "ours.npz").read_bytes() == (tmp_path / "theirs.npz").read_bytes()
    assert read_npz(tmp_path / "ours.npz").keys() == arrays.keys()


def test_a_full_disk_and_a_closed_folder_are_sentences_and_other_errors_pass():
    with pytest.raises(UserError, match=r"disk is full.*model\.eqx"), disk_errors("model.eqx"):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(LostDirectoryError, match="see that its folder"), disk_errors("model.eqx"):
        raise PermissionError(errno.EACCES, "Permission denied")
    with pytest.raises(BrokenPipeError), disk_errors("model.eqx"):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")
