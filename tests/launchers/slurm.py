"""A SLURM cluster of one node, this machine: real daemons, all of whose files are in a folder."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

_DAEMONS = ("munged", "slurmctld", "slurmd")
_CONFIGURATION = """
ClusterName=one
SlurmctldHost={host}
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ReturnToService=2
SwitchType=switch/none
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=requeue_setup_env_fail
JobRequeue=1
KillWait={kill_wait}
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName={host} CPUs={cpus} State=UNKNOWN
PartitionName=work Nodes={host} Default=YES PriorityTier=1 GraceTime={grace} State=UP
PartitionName=urgent Nodes={host} PriorityTier=9 PreemptMode=OFF State=UP
"""


def missing() -> list[str]:
    """The daemons that this machine does not have."""
    return [name for name in _DAEMONS if _program(name) is None]


class Cluster:
    """The daemons, running until `stop`; `environment` is what makes SLURM's commands find them."""

    def __init__(self, folder: Path, *, grace: int = 0, kill_wait: int = 30):
        self.folder = folder
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf")}
        self._running: list[subprocess.Popen] = []
        for name in ("state", "spool"):
            (folder / name).mkdir(parents=True)
        key = folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        host = socket.gethostname().partition(".")[0]
        ports = {"controller": _free_port(), "node": _free_port()}
        (folder / "slurm.conf").write_text(
            _CONFIGURATION.format(
                folder=folder,
                host=host,
                cpus=len(os.sched_getaffinity(0)),
                grace=grace,
                kill_wait=kill_wait,
                **ports,
            )
        )
        files = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "seed", "log")]
        self._start("munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *files)
        self._start("slurmctld", "-D")
        self._start("slurmd", "-D")
        self._wait_for_the_node()

    def command(self, *words: str) -> str:
        """What one of SLURM's commands prints."""
        result = subprocess.run(
            words, env=os.environ | self.environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, f"{words}: {result.stdout}{result.stderr}"
        return result.stdout

    def log(self) -> str:
        """The last of what the daemons logged."""
        logs = (file.read_text() for file in sorted(self.folder.glob("slurm*.log")))
        return "".join(log[-3000:] for log in logs)

    def cancel(self) -> None:
        """Every job there is."""
        subprocess.run(["scancel", "--user=root"], env=os.environ | self.environment, check=False)

    def stop(self) -> None:
        self.cancel()
        for process in reversed(self._running):
            process.terminate()
            process.wait(60)

    def _start(self, name: str, *arguments: str) -> None:
        program = _program(name)
        assert program is not None, name
        with open(self.folder / f"{name}.out", "w") as output:
            process = subprocess.Popen(
                [program, *arguments],
                env=os.environ | self.environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._running.append(process)

    def _wait_for_the_node(self) -> None:
        for _ in range(300):
            state = subprocess.run(
                ["sinfo", "--noheader", "--format=%T"],
                env=os.environ | self.environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if "idle" in state.stdout.split():
                return
            time.sleep(0.2)
        raise TimeoutError(f"the node did not come up: {state.stdout}{state.stderr}{self.log()}")


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
