"""What wandb's real library keeps of an offline run, which `wandb sync` uploads."""

import struct
from collections.abc import Iterator
from pathlib import Path

from wandb.proto.wandb_internal_pb2 import Record


def stored(folder: Path) -> tuple[Record, list[Record]]:
    """The run's record, and all of them."""
    (file,) = folder.rglob("*.wandb")
    found = list(records(file))
    assert found[-1].WhichOneof("record_type") in ("exit", "footer", "final")
    return next(record.run for record in found if record.HasField("run")), found


def records(file: Path) -> Iterator[Record]:
    """What `wandb sync` reads: LevelDB's log in blocks of 32 KiB behind a header of 7 bytes."""
    data = file.read_bytes()
    assert data[:7] == b":W&B" + struct.pack("<HB", 0xBEE1, 0)
    place, pieces = 7, b""
    while place < len(data):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, place)
        pieces += data[place + 7 : place + 7 + length]
        place += 7 + length
        # 1: whole, 4: the last piece
        if kind in (1, 4):
            yield Record.FromString(pieces)
            pieces = b""
