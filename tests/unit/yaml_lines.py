"""The lines on which a scenario's steps stand in scenarios.yaml, each of them on one."""

from __future__ import annotations


def of_steps(text: str, scenario: str) -> list[int]:
    """Line numbers, from 0."""
    lines = text.splitlines()
    begun = lines.index(f"  {scenario}:", lines.index("scenarios:"))
    first = lines.index("    steps:", begun) + 1
    last = next(number for number in range(first, len(lines)) if not lines[number].startswith("      - "))
    return list(range(first, last))


def without(text: str, line: int) -> str:
    """The text without that line."""
    lines = text.splitlines(keepends=True)
    return "".join(lines[:line] + lines[line + 1 :])
