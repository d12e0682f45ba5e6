"""Clouds with their credentials, switches and hourly allowance of Admin API calls."""

from __future__ import annotations

import hmac
import secrets
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from uscdr.sandbox.media.database import Connection, Row
from uscdr.sandbox.media.errors import MediaError, bad, unauthorized

CLOUDS = ("usc-pis", "usc-pis-recovery")
BACKUP_MODES = ("on", "off", "half")
HOUR = 3600
PAID_LIMIT = 2000  # calls an hour
_RATE_LIMITED = 420


@dataclass(frozen=True)
class Account:
    """One cloud. `backup` is `on`, `off` or `half`; the quota's times are seconds since the epoch."""

    cloud: str
    api_key: str
    api_secret: str = field(repr=False)
    enabled: bool
    backup: str
    folder_mode: str
    algorithm: str
    quota_limit: int
    quota_window: int

    def check_secret(self, key: str, secret: str) -> None:
        """HTTP Basic credentials. Raises 401."""
        if not self.enabled or key != self.api_key:
            raise unauthorized("unknown api_key")
        if not hmac.compare_digest(secret.encode(), self.api_secret.encode()):
            raise unauthorized("api_secret mismatch")

    def check_key(self, key: str) -> None:
        """The `api_key` of a signed request. Raises 401."""
        if not self.enabled or key != self.api_key:
            raise unauthorized(f"Unknown API key {key}")

    def document(self) -> dict[str, Any]:
        """As JSON, secret included: for the sandbox's own contract and control endpoint."""
        return {"cloud": self.cloud, "api_key": self.api_key, "api_secret": self.api_secret}


@dataclass(frozen=True)
class Allowance:
    """What is left of the current hour."""

    limit: int
    remaining: int
    ends: int

    def headers(self) -> dict[str, str]:
        """As Admin API answers tell it."""
        return {
            "X-FeatureRateLimit-Limit": str(self.limit),
            "X-FeatureRateLimit-Remaining": str(max(0, self.remaining)),
            "X-FeatureRateLimit-Reset": formatdate(self.ends, usegmt=True),
        }

    def check(self) -> None:
        """Raises 420 when it is used up."""
        if self.remaining < 0:
            until = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(self.ends))
            words = f"Rate Limit Exceeded. Limit of {self.limit} api operations reached. Try again on {until}"
            raise MediaError(_RATE_LIMITED, words)


class Accounts:
    """The table of clouds."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, cloud: str) -> Account:
        """A new cloud with fresh credentials. Raises 400 if there is one."""
        key = str(secrets.randbelow(9 * 10**14) + 10**14)
        values = (cloud, key, secrets.token_urlsafe(20), PAID_LIMIT, HOUR)
        if self._row(cloud) is not None:
            raise bad(f"There is a cloud {cloud} already.")
        statement = "INSERT INTO accounts (cloud, api_key, api_secret, quota_limit, quota_window) VALUES (?,?,?,?,?)"
        self._connection.execute(statement, values)
        return self.get(cloud)

    def get(self, cloud: str) -> Account:
        """One cloud. Raises 401, as for a name that nobody has."""
        row = self._row(cloud)
        if row is None:
            raise unauthorized(f"Invalid cloud_name {cloud}")
        names = [name for name in row.keys() if name not in ("quota_used", "quota_ends")]  # noqa: SIM118 - a Row
        return Account(**{**{name: row[name] for name in names}, "enabled": bool(row["enabled"])})

    def all(self) -> list[Account]:
        """Every cloud, the oldest first."""
        rows = self._connection.execute("SELECT cloud FROM accounts ORDER BY rowid").fetchall()
        return [self.get(row["cloud"]) for row in rows]

    def _row(self, cloud: str) -> Row | None:
        row: Row | None = self._connection.execute("SELECT * FROM accounts WHERE cloud = ?", [cloud]).fetchone()
        return row

    def enable(self, cloud: str, *, enabled: bool) -> None:
        """Accept or refuse its credentials."""
        self._connection.execute("UPDATE accounts SET enabled = ? WHERE cloud = ?", [enabled, cloud])

    def renew(self, cloud: str) -> Account:
        """Issue a new key and secret, as the service's console does; the old ones are refused."""
        key = str(secrets.randbelow(9 * 10**14) + 10**14)
        statement = "UPDATE accounts SET api_key = ?, api_secret = ?, enabled = 1 WHERE cloud = ?"
        self._connection.execute(statement, [key, secrets.token_urlsafe(20), cloud])
        return self.get(cloud)

    def set_backup(self, cloud: str, mode: str) -> None:
        """`on`, `off`, or `half`: only every other public id. Raises 400."""
        if mode not in BACKUP_MODES:
            raise bad(f"backup must be one of {', '.join(BACKUP_MODES)}.")
        self._connection.execute("UPDATE accounts SET backup = ? WHERE cloud = ?", [mode, cloud])

    def set_folder_mode(self, cloud: str, mode: str) -> None:
        """`dynamic` or `fixed`. Raises 400."""
        if mode not in ("dynamic", "fixed"):
            raise bad("folder_mode must be dynamic or fixed.")
        self._connection.execute("UPDATE accounts SET folder_mode = ? WHERE cloud = ?", [mode, cloud])

    def set_quota(self, cloud: str, *, limit: int, window: int) -> None:
        """So many Admin API calls in each `window` seconds; the count begins anew. Raises 400."""
        if limit < 0 or window < 1:
            raise bad("limit and window must be positive.")
        statement = "UPDATE accounts SET quota_limit = ?, quota_window = ?, quota_used = 0, quota_ends = 0"
        self._connection.execute(statement + " WHERE cloud = ?", [limit, window, cloud])

    def draw(self, account: Account) -> Allowance:
        """Count one Admin API call; the counter starts anew at every full window of the clock."""
        now = int(time.time())
        ends = (now // account.quota_window + 1) * account.quota_window
        statement = (
            "UPDATE accounts SET quota_used = CASE WHEN quota_ends > ? THEN quota_used + 1 ELSE 1 END, quota_ends = ?"
            " WHERE cloud = ? RETURNING quota_used"
        )
        row = self._connection.execute(statement, [now, ends, account.cloud]).fetchone()
        return Allowance(account.quota_limit, account.quota_limit - int(row["quota_used"]), ends)
