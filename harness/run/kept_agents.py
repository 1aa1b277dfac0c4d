"""`save_agent`: a second copy of a run's agents, in a folder of the user's."""

from pathlib import Path

from harness.configuration.schema import ProgramConfig
from harness.run.directory import RunDirectory


def keep_agents(config: ProgramConfig, run: RunDirectory) -> None:
    """Copies the agents of a finished run below `save_agent_root` if the configuration asks for it.

    They are named as the run is, so that no setting's agent replaces another's.
    """
    if not config.save_agent or config.save_agent_root is None or run.finished is None:
        return
    # it brings JAX, for which a finished run without a copy does not wait
    from harness.run import checkpoint

    own = config.run_dir is not None
    folder = run.path.name if own else run.path.relative_to(Path(config.run_root).expanduser())
    home = Path(config.save_agent_root).expanduser() / folder
    for name in map(Path, run.finished.files):
        if name.name == run.agent.name:
            copy = home / name.parent
            checkpoint.copy(run.path / name, copy)
            print(f"agent kept in {copy}", flush=True)
