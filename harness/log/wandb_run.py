"""wandb, never in the way: no prompt, no crash when the network fails, one run across restarts."""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from harness.errors import first_line
from harness.log.metrics import STEP
from harness.log.sink import Opening, Sink
from harness.log.wandb_settings import project, run_id
from harness.run.directory import RunDirectory

# A server that cannot be reached must cost a run seconds, at its start and at its end.
_INIT_SECONDS = 20
_FINISH_SECONDS = 60
# Offline nothing can be unreachable: wandb's own process is only slow to start on a busy machine.
_LOCAL_SECONDS = 90
_LOCAL_ATTEMPTS = 3


class WandbRun(Sink):
    """A wandb run that turns itself off at the first failure; metrics.jsonl has everything."""

    #: Those that are open in this process, which share wandb's service.
    _live: ClassVar[list["WandbRun"]] = []

    def __init__(self, opening: Opening, mode: str):
        """`mode` is what `wandb_settings.server_mode` says, and not "disabled"."""
        run, config = opening.run, opening.config
        os.environ.setdefault("WANDB_SILENT", "true")
        import wandb
        import wandb.errors
        from wandb.sdk import mailbox

        self._wandb = wandb
        # how a lost service process shows
        self._lost = (ConnectionError, mailbox.HandleAbandonedError, mailbox.MailboxClosedError)
        self._failures = (wandb.errors.Error, OSError, TimeoutError, *self._lost)
        self._run: Any = None
        # what the first has found out about the network holds for those beside it
        self._mode = self._live[0]._mode if self._live else mode
        attempts = ["offline"] * _LOCAL_ATTEMPTS
        if self._mode != "offline":
            attempts.insert(0, self._mode)
        last: Exception = TimeoutError("there was no attempt")
        for attempt in attempts:
            try:
                self._run, self._mode = self._init(attempt, run, config), attempt
                self._run.define_metric("*", step_metric=STEP)
                self._live.append(self)
                return
            except self._failures as error:
                last = error
            if attempt != "offline":
                _warn(
                    f"wandb cannot be reached ({first_line(last)}), so this run is logged offline"
                )
            # The failed attempt still holds the run's id in wandb's service process.
            self._teardown()
        self._give_up(last)

    def log(self, step: int, metrics: Mapping[str, Any]) -> None:
        self._guarded(lambda: self._run.log({**metrics, STEP: int(step)}))

    def image(self, step: int, name: str, path: Path) -> None:
        self._guarded(lambda: self._run.log({name: self._wandb.Image(str(path)), STEP: int(step)}))

    def close(self, exit_code: int = 0) -> None:
        def finish():
            self._run.finish(exit_code=exit_code)
            self._live.remove(self)
            # Its service process may still be writing, and would be ended with this one.
            self._teardown()

        self._guarded(finish)
        self._run = None

    def _teardown(self) -> None:
        """Ends wandb's service process, unless others log through it."""
        if not self._live:
            self._wandb.teardown()

    def _init(self, mode: Any, run: RunDirectory, config: Any) -> Any:
        # What is None here wandb takes from its environment variables (WANDB_RUN_GROUP, …).
        return self._wandb.init(
            mode=mode,
            project=project(run.program, config),
            entity=config.wandb.entity,
            group=config.wandb.group,
            name=os.environ.get("WANDB_NAME") or "/".join(run.path.absolute().parts[-3:]),
            id=run_id(run.path / "wandb_id.txt"),
            resume="allow",
            # beside other runs of this process
            reinit="create_new",
            dir=os.environ.get("WANDB_DIR") or str(run.path),
            config=asdict(config),
            settings=self._wandb.Settings(
                silent=True,
                console="off",
                init_timeout=_LOCAL_SECONDS if mode == "offline" else _INIT_SECONDS,
                finish_timeout=_FINISH_SECONDS,
            ),
        )

    def _guarded(self, call: Any) -> None:
        if self._run is None:
            return
        try:
            call()
        except self._failures as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        _warn(f"wandb failed ({first_line(error)}), so only metrics.jsonl goes on")
        self._run = None
        if self in self._live:
            self._live.remove(self)
        if isinstance(error, self._lost):
            # or it would find that out with a traceback when this process ends
            with suppress(*self._failures):
                self._teardown()


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr, flush=True)
