"""Damage at random, the same every time: bytes of a sound file, changed in one of a few ways."""

from collections.abc import Iterator

import numpy as np


def damaged(content: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """`count` damaged forms of `content`, none of them equal to it."""
    rng = np.random.default_rng(seed)
    ways = (_flip, _overwrite, _cut, _insert, _swap, _repeat)
    given = 0
    while given < count:
        changed = ways[rng.integers(len(ways))](content, rng)
        if changed != content:
            given += 1
            yield changed


def flips(content: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """`count` forms of `content` with one bit flipped, no two alike."""
    rng = np.random.default_rng(seed)
    for bit in rng.choice(8 * len(content), min(count, 8 * len(content)), replace=False):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << (bit % 8)
        yield bytes(changed)


def _place(content: bytes, rng: np.random.Generator) -> int:
    # headers lie at the beginning and the end of most formats
    if rng.random() < 0.6:
        near = int(rng.integers(min(512, len(content))))
        return near if rng.random() < 0.7 else len(content) - 1 - near
    return int(rng.integers(len(content)))


def _flip(content, rng):
    return next(flips(content, 1, int(rng.integers(2**31))))


def _overwrite(content, rng):
    place, size = _place(content, rng), int(rng.integers(1, 9))
    filler = [bytes(size), b"\xff" * size, rng.bytes(size)][rng.integers(3)]
    return content[:place] + filler + content[place + size :]


def _cut(content, rng):
    return content[: _place(content, rng)]


def _insert(content, rng):
    place = _place(content, rng)
    return content[:place] + rng.bytes(int(rng.integers(1, 17))) + content[place:]


def _swap(content, rng):
    one, other = sorted((_place(content, rng), _place(content, rng)))
    return content[:one] + content[other:] + content[one:other]


def _repeat(content, rng):
    place, size = _place(content, rng), int(rng.integers(1, 65))
    return content[: place + size] + content[place:]
