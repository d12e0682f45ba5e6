"""Which provider call fails, and how."""

from __future__ import annotations

import fnmatch
import secrets
from dataclasses import dataclass, field
from typing import Any

from uscdr.words import whole

HEROKU, CLOUDINARY, DNS, MAIL = "heroku", "cloudinary", "dns", "mail"
APPLICATION, BROKER = "application", "broker"
EVERY = "all"
PROVIDERS = (HEROKU, CLOUDINARY, DNS, MAIL, APPLICATION, BROKER, EVERY)
CONNECTION_KINDS = ("refuse", "timeout-before", "timeout-after", "reset-before", "reset-after")
STATUS_KINDS = (
    "401",
    "403",
    "403-two-factor",
    "404",
    "409",
    "420",
    "422",
    "423-confirmation",
    "429",
    "429-bare",
    "429-odd",
    "500",
    "503-html",
)
BODY_KINDS = ("html-200", "empty-200", "truncated", "wrong-types", "redirect", "drip", "endless", "odd-headers")
LYING_KINDS = ("twice", "another-id", "listed-twice", "untold", "backwards", "endless-pages")
"""Whole answers that are not so: what was asked for happens twice, what is told is not what is."""
TIMED_KINDS = ("slow", "late", "lags")
"""With `:SECONDS`: the answer comes so much later; a gateway's refusal comes at once, and the effect so much later; a
list leaves out what was made so shortly ago."""
EFFECT_KINDS = (
    "transfer-fails",
    "transfer-hangs",
    "transfer-vanishes",
    "transfer-warnings",
    "transfer-cut",
    "transfer-empty",
    "transfer-strange",
    "slow-provisioning",
    "addon-fails",
    "build-fails",
    "release-fails",
    "dyno-unreachable",
    "dyno-cut",
)
DNS_KINDS = ("servfail",)
PLAIN_KINDS = (*CONNECTION_KINDS, *STATUS_KINDS, *BODY_KINDS, *LYING_KINDS, *EFFECT_KINDS, *DNS_KINDS)


def valid_kind(kind: str) -> bool:
    """Whether `kind` is known; `slow:SECONDS` and its like carry a number."""
    name, _, seconds = kind.partition(":")
    if name in TIMED_KINDS:
        return whole(seconds.replace(".", "", 1)) is not None
    return kind in PLAIN_KINDS


@dataclass(slots=True)
class Rule:
    """Applies to the calls numbered `call` to `call + count - 1` of those that match; `count` 0 is without end.

    `provider` is `heroku`, `cloudinary` for the media service, `dns` for name servers and the records API, `mail`
    for the token endpoint, `application` for what its users ask the router, `broker`, or `all` of them. To name
    servers a call is `UPDATE` or `QUERY`, and its path `name/TYPE`, for several records joined by commas; to a broker
    it is a command, and its path `/` with the list that it is about.
    """

    kind: str
    method: str = "*"
    path: str = "*"
    call: int = 1
    count: int = 1
    provider: str = HEROKU
    seen: int = 0
    applied: int = 0
    id: str = field(default_factory=lambda: secrets.token_hex(4))

    def meets(self, method: str, path: str, provider: str) -> bool:
        """Count the call if it matches; true when the fault is due."""
        meant = self.provider in (provider, EVERY) and self.method in ("*", method)
        if not meant or not fnmatch.fnmatchcase(path, self.path):
            return False
        self.seen += 1
        due = self.seen >= self.call and (self.count == 0 or self.seen < self.call + self.count)
        self.applied += due
        return due

    def document(self) -> dict[str, Any]:
        """The rule as `fault list` shows it."""
        keys = ("id", "kind", "provider", "method", "path", "call", "count", "seen", "applied")
        return {key: getattr(self, key) for key in keys}


class FaultRules:
    """The rules in force, first match wins."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []

    def due(self, method: str, path: str, *, provider: str = HEROKU) -> str:
        """The fault kind for this call, or an empty string. Every matching rule counts the call."""
        kinds = [rule.kind for rule in self.rules if rule.meets(method, path, provider)]
        return kinds[0] if kinds else ""

    @property
    def remembers(self) -> bool:
        """Whether a rule will need what was answered before."""
        return any(rule.kind == "another-id" for rule in self.rules)

    def clear(self) -> int:
        """Remove all rules; returns how many there were."""
        removed = len(self.rules)
        self.rules.clear()
        return removed
