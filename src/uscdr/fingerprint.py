"""Fingerprints of secrets: they tell two secrets apart without revealing them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import SecretStr

LENGTH = 12
_COST = 1 << 14


def fingerprint(secret: SecretStr, whose: str) -> str:
    """Twelve hexadecimal digits, the same for the same secret of the same application; empty for an empty one.

    A slow hash (scrypt): nobody can try millions of short, human-made secrets.
    """
    value = secret.get_secret_value()
    if not value:
        return ""
    return hashlib.scrypt(value.encode(), salt=whose.encode(), n=_COST, r=8, p=1, dklen=LENGTH // 2).hex()
