"""Everything that configurations and code both call by a name, each kind in one module.

A new entry is one line here: the configuration accepts it, and the code finds it.
"""
