"""Imported first by the scripts of this folder: they then run with or without PYTHONPATH."""

import sys
from pathlib import Path

# Python looks beside the script; everything here is named from the checkout's top
sys.path[0] = str(Path(__file__).resolve().parents[1])
