"""The three layers every network here is made of, for one example; callers `vmap` them."""

from layers.block import Block as Block
from layers.linear import Linear as Linear
from layers.norm import LayerNorm as LayerNorm
