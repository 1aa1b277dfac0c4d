"""The domains: benchmarks whose datasets are published, and tasks that a config describes."""

#: Environment and dataset are known by the dataset's name.
PUBLISHED = ("d4rl_loco", "neorl", "adroit", "antmaze")

#: The `env` group of the config describes them. `custom` is a user's own; `pendulum` is embedded
#: and makes its own data.
CUSTOM, PENDULUM = "custom", "pendulum"
DESCRIBED = (CUSTOM, PENDULUM)
