"""Who may have an asset of type `upload`: the older switch, and rules with times."""

from __future__ import annotations

import json

from uscdr.sandbox.media.errors import bad

_MODES = ("public", "authenticated")
_TYPES = ("token", "anonymous")


def access_mode(text: str) -> str:
    """The older switch. Raises 400."""
    if text not in _MODES:
        raise bad(f"Invalid access_mode {text}")
    return text


def rules(text: str) -> tuple[dict[str, str], ...]:
    """`access_control`: a JSON list of rules, or one rule. Raises 400."""
    try:
        found = json.loads(text or "[]")
    except ValueError:
        raise bad("Invalid JSON in access_control") from None
    listed = found if isinstance(found, list) else [found]
    if not all(isinstance(rule, dict) and rule.get("access_type") in _TYPES for rule in listed):
        raise bad("Invalid value for parameter access_control")
    return tuple({str(name): str(value) for name, value in rule.items()} for rule in listed)
