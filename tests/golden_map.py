"""Published parameter paths ↔ our modules: the one place where the two naming schemes meet."""

import itertools
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from memory import MemorySettings

GOLDEN = Path(__file__).parent / "golden"


def load(name: str) -> dict[str, jax.Array]:
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as file:
        return {key: jnp.asarray(value) for key, value in file.items()}


class Params:
    """Arrays under a published path prefix, e.g. `p["memory.layers[0]"]["lru.D"]`."""

    def __init__(self, arrays, prefix="param:"):
        self.arrays, self.prefix = arrays, prefix

    def __call__(self, path):
        return self.arrays[self.prefix + path]

    def sub(self, path):
        return Params(self.arrays, self.prefix + path)

    def count(self, form, first=0):
        """How many indices from `first` on `form` (such as "layers[{}].") has arrays for."""
        return next(
            i - first
            for i in itertools.count(first)
            if not any(name.startswith(self.prefix + form.format(i)) for name in self.arrays)
        )


def linear(module, p: Params):
    return eqx.tree_at(
        lambda m: (m.weight, m.bias), module, (jnp.swapaxes(p("weight"), -1, -2), p("bias"))
    )


def norm(module, p: Params):
    return eqx.tree_at(lambda m: (m.scale, m.offset), module, (p("weight"), p("bias")))


def block(module, p: Params, has_ln=True):
    module = eqx.tree_at(lambda m: m.linear, module, linear(module.linear, p.sub("layers[0].")))
    if has_ln:
        module = eqx.tree_at(lambda m: m.norm, module, norm(module.norm, p.sub("layers[1].")))
    return module


def _lru(module, p: Params):
    b = jnp.stack([p("B_re"), p("B_im")])
    c = jnp.stack([p("C_re"), -p("C_im")], axis=1)
    return eqx.tree_at(
        lambda m: (m.nu_log, m.theta_log, m.gamma_log, m.b, m.c, m.d),
        module,
        (p("nu_log"), p("theta_log"), p("gamma_log"), b, c, p("D")),
    )


def _lru_block(module, p: Params):
    gate_weight = jnp.concatenate([p("out1._fun.weight").T, p("out2._fun.weight").T], axis=1)
    gate_bias = jnp.concatenate([p("out1._fun.bias"), p("out2._fun.bias")])
    return eqx.tree_at(
        lambda m: (m.norm, m.lru, m.gate.weight, m.gate.bias),
        module,
        (
            norm(module.norm, p.sub("normalization._fun.")),
            _lru(module.lru, p.sub("lru.")),
            gate_weight,
            gate_bias,
        ),
    )


def memory_settings(p: Params, strategy="auto"):
    """The sizes of the stack under prefix `layers[i].…`; its radii do not matter any more."""
    d_hidden, d_model = p("layers[0].lru.B_re").shape
    layers = p.count("layers[{}].")
    return MemorySettings(d_model, d_hidden, layers, r_min=0.0, r_max=0.9, strategy=strategy)


def stack(module, p: Params):
    """LRUStack under prefix `layers[i].…`."""
    blocks = tuple(_lru_block(b, p.sub(f"layers[{i}].")) for i, b in enumerate(module.blocks))
    return eqx.tree_at(lambda m: m.blocks, module, blocks)
