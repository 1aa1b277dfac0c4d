"""Published network parameters as our encoder and heads, of the sizes that the parameters have."""

import equinox as eqx
import jax

from memory import LRUStack
from online_rl.encoders import RecurrentEncoder
from online_rl.networks import ActorHead, DuelingHead, make_critic_heads
from tests import golden_map

KEY = jax.eval_shape(lambda: jax.random.key(0))


def encoder(arrays):
    p = golden_map.Params(arrays)
    in_size = p("pre._fun.net.layers[0].weight").shape[1]
    settings = golden_map.memory_settings(p.sub("memory."))
    blank = eqx.filter_eval_shape(RecurrentEncoder, in_size, LRUStack, settings, key=KEY)
    return eqx.tree_at(
        lambda e: (e.pre, e.memory),
        blank,
        (
            golden_map.block(blank.pre, p.sub("pre._fun.net.")),
            golden_map.stack(blank.memory, p.sub("memory.")),
        ),
    )


def _trunk_sizes(p):
    """Width of what comes in (features, and perhaps an action), width and depth of the trunk."""
    width, in_size = p("layers[0]._fun.net.layers[0].weight").shape[-2:]
    return in_size, width, p.count("layers[{}].")


def _head(blank, p, outputs):
    """`outputs` are the fields of the last layers, under their published names."""
    blocks = tuple(
        golden_map.block(block, p.sub(f"layers[{i}]._fun.net."))
        for i, block in enumerate(blank.trunk.blocks)
    )
    last = [golden_map.linear(getattr(blank, name), p.sub(f"{name}._fun.")) for name in outputs]
    return eqx.tree_at(
        lambda h: (h.trunk.blocks, *(getattr(h, name) for name in outputs)), blank, (blocks, *last)
    )


def actor_head(arrays):
    p = golden_map.Params(arrays).sub("actor_head.")
    in_size, width, depth = _trunk_sizes(p)
    action_size = p("out._fun.bias").shape[0] // 2
    blank = eqx.filter_eval_shape(ActorHead, in_size, action_size, width, depth, key=KEY)
    return _head(blank, p, ["out"])


def critic_heads(arrays):
    p = golden_map.Params(arrays).sub("critic_heads.")
    in_size, width, depth = _trunk_sizes(p)
    action_size = arrays["action"].shape[1]
    count = p("out._fun.bias").shape[0]
    blank = eqx.filter_eval_shape(
        make_critic_heads, count, in_size - action_size, action_size, width, depth, key=KEY
    )
    return _head(blank, p, ["out"])


def dueling_head(arrays):
    p = golden_map.Params(arrays).sub("head.")
    in_size, width, depth = _trunk_sizes(p)
    arms = p("advantage._fun.bias").shape[0]
    blank = eqx.filter_eval_shape(DuelingHead, in_size, arms, width, depth, key=KEY)
    return _head(blank, p, ["value", "advantage"])
