"""Who is told the exit code of this process once it is certain. Imports nothing: every command loads it."""

from collections.abc import Callable

AT_END: list[Callable[[int], None]] = []
"""Called in order with the exit code, which they do not change."""
