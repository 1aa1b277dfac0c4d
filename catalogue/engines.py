"""The simulators under the paper's environments, by the word of the key `engine`."""

#: The official bindings, and the package that the published code used.
ENGINES = ("mujoco", "mujoco_py")
