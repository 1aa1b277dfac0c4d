import threading

import pytest

from harness.locks import only_process


def test_who_comes_second_is_told_and_waits(tmp_path):
    path, told, order = tmp_path / "new" / "file.hdf5", threading.Event(), []

    def second() -> None:
        with only_process(path, told.set):
            order.append("second")

    other = threading.Thread(target=second)
    with only_process(path, pytest.fail):
        other.start()
        assert told.wait(60)
        order.append("first")
    other.join()
    assert order == ["first", "second"]
    assert [file.name for file in path.parent.iterdir()] == [".file.hdf5.lock"]
