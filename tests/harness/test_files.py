import errno

import pytest

from harness.errors import LostDirectoryError, UserError
from harness.files import atomic_write, disk_errors, write_text


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


def test_a_full_disk_and_a_closed_folder_are_sentences_and_other_errors_pass():
    with pytest.raises(UserError, match=r"disk is full.*model\.eqx"), disk_errors("model.eqx"):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(LostDirectoryError, match="see that its folder"), disk_errors("model.eqx"):
        raise PermissionError(errno.EACCES, "Permission denied")
    with pytest.raises(BrokenPipeError), disk_errors("model.eqx"):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")
