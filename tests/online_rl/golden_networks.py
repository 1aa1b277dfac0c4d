"""Published network parameters as our encoder and heads."""

import equinox as eqx
import jax

from online_rl.encoders import RecurrentEncoder
from online_rl.networks import ActorHead, make_critic_heads
from tests import golden_map

D_MODEL, D_HIDDEN, LAYERS, WIDTH, DEPTH = 16, 8, 2, 16, 2
KEY = jax.eval_shape(lambda: jax.random.key(0))


def encoder(arrays, in_size):
    p = golden_map.Params(arrays)
    blank = eqx.filter_eval_shape(
        RecurrentEncoder, in_size, D_MODEL, D_HIDDEN, LAYERS, 0.0, 0.9, strategy="auto", key=KEY
    )
    return eqx.tree_at(
        lambda e: (e.pre, e.memory),
        blank,
        (
            golden_map.block(blank.pre, p.sub("pre._fun.net.")),
            golden_map.stack(blank.memory, p.sub("memory.")),
        ),
    )


def _head(blank, p):
    blocks = tuple(
        golden_map.block(block, p.sub(f"layers[{i}]._fun.net."))
        for i, block in enumerate(blank.trunk.blocks)
    )
    out = golden_map.linear(blank.out, p.sub("out._fun."))
    return eqx.tree_at(lambda h: (h.trunk.blocks, h.out), blank, (blocks, out))


def actor_head(arrays, action_size):
    blank = eqx.filter_eval_shape(ActorHead, D_MODEL, action_size, WIDTH, DEPTH, key=KEY)
    return _head(blank, golden_map.Params(arrays).sub("actor_head."))


def critic_heads(arrays, count, action_size):
    blank = eqx.filter_eval_shape(
        make_critic_heads, count, D_MODEL, action_size, WIDTH, DEPTH, key=KEY
    )
    return _head(blank, golden_map.Params(arrays).sub("critic_heads."))
