"""The domains: benchmarks whose datasets are published, and tasks that a config describes."""

D4RL_LOCO, NEORL, ADROIT, ANTMAZE = "d4rl_loco", "neorl", "adroit", "antmaze"
#: Environment and dataset are known by the dataset's name.
PUBLISHED = (D4RL_LOCO, NEORL, ADROIT, ANTMAZE)
#: What the names of users' own datasets of such an environment have and no published one has.
OWN_MARK = "-own-"

#: A user's own environment; and the embedded task, which makes its own data.
CUSTOM, PENDULUM = "custom", "pendulum"
#: The `env` group of the config describes them.
DESCRIBED = (CUSTOM, PENDULUM)

#: What `domain` of a continuous agent may be.
ALL = (*PUBLISHED, *DESCRIBED)
