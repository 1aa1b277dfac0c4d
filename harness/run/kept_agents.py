"""`save_agent`: a second copy of a run's agents, in a folder of the user's."""

from itertools import chain, count
from pathlib import Path

from harness.configuration.schema import ProgramConfig
from harness.run.directory import EARLIER, RunDirectory


def keep_agents(config: ProgramConfig, run: RunDirectory) -> None:
    """Copies the agents of a finished run below `save_agent_root` if the configuration asks for it.

    They are named as the run is, with a number where another run's agent has that name already.
    """
    if not config.save_agent or config.save_agent_root is None or run.finished is None:
        return
    # it brings JAX, for which a finished run without a copy does not wait
    from harness.saving import checkpoint

    def is_free(folder: Path, agent: Path) -> bool:
        own = (run.path / agent, *run.path.glob(f"{EARLIER}/*/{agent}"))
        return not checkpoint.exists(folder) or any(checkpoint.same(one, folder) for one in own)

    has_own_name = config.run_dir is not None
    root = Path(config.run_root).expanduser()
    named = run.path.name if has_own_name else run.path.relative_to(root)
    for agent in map(Path, run.finished.files):
        if agent.name == run.agent.name:
            home = Path(config.save_agent_root).expanduser() / named / agent.parent
            numbered = (home.with_name(f"{home.name}-{number}") for number in count(2))
            copy = next(folder for folder in chain([home], numbered) if is_free(folder, agent))
            checkpoint.copy(run.path / agent, copy)
            print(f"agent kept in {copy}", flush=True)
