"""Campaigns: see README.md. The fakes of the unit tests are at hand by their own names, as there."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "unit")]
