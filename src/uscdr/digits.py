r"""Reads whole numbers from foreign text: at most fifteen ASCII digits.

`str.isdigit` takes `²`, `\d` takes the digits of every script, and `int` takes `1_0` and refuses what is very long.
"""

from __future__ import annotations

import re

MOST = 10**15
_WHOLE = re.compile(r"[0-9]{1,15}")


def whole(text: str | bytes | None) -> int | None:
    """The number, 0 or more and below `MOST`; None for anything else."""
    if isinstance(text, bytes):
        text = text.decode("ascii", "replace")
    return int(text) if text is not None and _WHOLE.fullmatch(text) else None
