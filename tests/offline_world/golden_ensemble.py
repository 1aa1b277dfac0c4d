"""Ensembles for tests: with published parameters, or with random ones at no compile time."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from catalogue.uncertainty import UNCERTAINTIES
from offline_world.modules import Ensemble
from tests import golden_map


def ensemble(arrays, prefix="param:", *, continuous=True):
    """The ensemble whose parameters (or gradients) are in `arrays` under `prefix`.

    All sizes are those of the arrays; a continuous one's outputs are a state and a reward, and the
    state is predicted as a change.
    """
    p = golden_map.Params(arrays, prefix + "members.")
    size, hidden_size, in_size = p("block1._fun.net.layers[0].weight").shape
    out_size = p("mu_layer._fun.bias").shape[1]
    has_ln = prefix + "members.block1._fun.net.layers[1].weight" in arrays
    blank = _blank(
        size,
        in_size,
        out_size,
        hidden_size,
        depth=p.count("block{}.", first=1),
        residual=out_size - 1 if continuous else 0,
        has_ln=has_ln,
    )
    members = blank.members
    blocks = tuple(
        golden_map.block(block, p.sub(f"block{i}._fun.net."), has_ln)
        for i, block in enumerate(members.blocks, start=1)
    )
    heads = (
        golden_map.linear(members.mean_head, p.sub("mu_layer._fun.")),
        golden_map.linear(members.log_std_head, p.sub("logsigma_layer._fun.")),
    )
    members = eqx.tree_at(
        lambda m: (m.blocks, m.mean_head, m.log_std_head), members, (blocks, *heads)
    )
    return eqx.tree_at(lambda e: e.members, blank, members)


def check_uncertainties(g, mean, std):
    """The measures that were recorded in `g`, of these predictions of all members."""
    recorded = [name.removeprefix("unc_") for name in g if name.startswith("unc_")]
    assert recorded
    for name in recorded:
        actual = UNCERTAINTIES[name](mean, std)
        np.testing.assert_allclose(actual, g[f"unc_{name}"], rtol=1e-4, atol=1e-5)


def random(size, in_size, out_size, hidden_size, *, residual, has_ln=True, depth=4, seed=0):
    """An ensemble with normal parameters, near 1 in the norms' scales."""
    rng = np.random.default_rng(seed)
    blank = _blank(
        size, in_size, out_size, hidden_size, depth=depth, residual=residual, has_ln=has_ln
    )
    ensemble = jax.tree.map(
        lambda leaf: jnp.asarray(rng.normal(0, hidden_size**-0.5, leaf.shape), jnp.float32), blank
    )
    if not has_ln:
        return ensemble

    def scales(ensemble):
        return [block.norm.scale for block in ensemble.members.blocks]

    return eqx.tree_at(scales, ensemble, [scale + 1.0 for scale in scales(ensemble)])


def _blank(*sizes, **options):
    key = jax.eval_shape(lambda: jax.random.key(0))
    return eqx.filter_eval_shape(Ensemble, *sizes, **options, key=key)
