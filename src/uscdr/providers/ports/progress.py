"""How ports tell how far a long call got."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int | None], None]
"""Called with bytes done and bytes in all (None when unknown)."""
