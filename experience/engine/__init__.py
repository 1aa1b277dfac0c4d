"""D4RL's and gym's MuJoCo environments on an engine that still installs."""

from experience.engine.install import EngineInfo, install, quiet_gym

__all__ = ["EngineInfo", "install", "quiet_gym"]
