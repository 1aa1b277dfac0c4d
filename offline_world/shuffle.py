"""Random orders of N rows computed place by place, so that no permutation is ever stored.

128 members that each visit a million rows in their own order would need half a gigabyte of indices
and 128 sorts an epoch. A Feistel network is a bijection whatever its round function is; walking
the cycle until the value is below N restricts it to [0, N).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray, UInt32

ROUNDS = 6


def _mix(x):
    """A 32-bit integer hash with good avalanche (the constants of Mulvey's `triple32`)."""
    for shift, factor in ((17, 0xED5AD4BB), (11, 0xAC4C1B51), (15, 0x31848BAB)):
        x = (x ^ (x >> jnp.uint32(shift))) * jnp.uint32(factor)
    return x ^ (x >> jnp.uint32(14))


def permuted(index: UInt32[Array, " n"], size: int, key: PRNGKeyArray) -> UInt32[Array, " n"]:
    """The rows at places `index` of a random order of range(size), which `key` determines."""
    low_bits = max((size - 1).bit_length() // 2, 1)
    high_bits = max((size - 1).bit_length() - low_bits, 1)
    round_keys = jax.random.bits(key, (ROUNDS,), jnp.uint32)

    def encrypt(x):
        # unbalanced halves: each round replaces one of them by itself ⊕ hash(other)
        low, high = x & jnp.uint32((1 << low_bits) - 1), x >> jnp.uint32(low_bits)
        for r in range(ROUNDS):
            if r % 2:
                low = low ^ (_mix(high ^ round_keys[r]) & jnp.uint32((1 << low_bits) - 1))
            else:
                high = high ^ (_mix(low ^ round_keys[r]) & jnp.uint32((1 << high_bits) - 1))
        return (high << jnp.uint32(low_bits)) | low

    def outside(x):
        return x >= jnp.uint32(size)

    return jax.lax.while_loop(
        lambda x: outside(x).any(), lambda x: jnp.where(outside(x), encrypt(x), x), encrypt(index)
    )
