"""The callback by which ports report the progress of a long call."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int | None], None]
"""Called with the bytes done and the total (None when unknown)."""
