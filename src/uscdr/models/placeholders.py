"""Whether a text stands in the place of a name or an address and names nobody: one rule for all."""

from __future__ import annotations

import re

_PLACEHOLDER = re.compile(
    r"\b(tbd|todo|tba|xxx+|n/?a|change ?me|fill ?in|your[ -]|unknown|placeholder)|[<\[?…]", re.IGNORECASE
)


def is_placeholder(text: str) -> bool:
    """Whether the text is empty or a placeholder, such as `[Add contact info]` or `TBD`."""
    return not text.strip() or _PLACEHOLDER.search(text) is not None


def reaches_nobody(name: str, how: str) -> bool:
    """Whether a contact has no name or no way to reach it. The query of an address in `how` is not looked at."""
    return is_placeholder(name) or is_placeholder(how.partition("?")[0])
