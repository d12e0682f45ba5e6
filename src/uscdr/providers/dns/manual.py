"""The `Zone` port for a zone that only a person can edit; reads it from its name servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uscdr.errors import ProviderError, WriteRefused
from uscdr.providers.dns.records import normal
from uscdr.providers.dns.rfc2136 import PROVIDER
from uscdr.providers.dns.swap import by_hand, obstacle

if TYPE_CHECKING:
    from uscdr.models.dns import RecordSet, RecordType, ServerAnswer
    from uscdr.providers.ports.dns import Verifier

_HALF = 2**31


class ManualZone:
    """`zone` as `verifier` sees it."""

    def __init__(self, zone: str, verifier: Verifier) -> None:
        self.zone = normal(zone)
        self._verifier = verifier

    @property
    def writable(self) -> bool:
        """False: a person makes the change by `instructions`, and uscdr then checks the servers."""
        return False

    def read(self, name: str, record_type: RecordType) -> RecordSet | None:
        """The answer of the server with the newest copy of the zone; None when a wildcard answers.

        Raises `ProviderError` (retryable) when no server answers. An ALIAS appears as its addresses.
        """
        answers = self._verifier.look(normal(name), record_type).answers
        usable = [answer for answer in answers if answer.state in ("answered", "no such record")]
        if not usable:
            raise ProviderError(
                f"No authoritative server answered for {name} ({record_type}).",
                provider=PROVIDER,
                why=", ".join(f"{answer.server.host}: {answer.state}" for answer in answers),
                next_action="Check this machine's network and the zone's name servers, then run the command again.",
                retryable=True,
            )
        return _newest(usable).own

    def swap(
        self,
        name: str,
        record_type: RecordType,
        expected: RecordSet | None,  # noqa: ARG002 - the port's signature; a zone without writes compares nothing
        wanted: RecordSet | None,  # noqa: ARG002 - the same
    ) -> None:
        """Always raises `WriteRefused`."""
        raise WriteRefused(
            f"uscdr cannot change {name} ({record_type}): only a person can edit its zone. Nothing was sent.",
            provider=PROVIDER,
        )

    def obstacle(self, name: str) -> str:
        """By the protocol: the apex, and existing records at the name. The provider's workaround is unknown."""
        return obstacle(self.zone, normal(name), self.read)

    def instructions(self, expected: RecordSet | None, wanted: RecordSet | None) -> tuple[str, ...]:
        """Instructions for a manual change, with old and new record lines and TTL."""
        return by_hand(self.zone, expected, wanted)


def _newest(answers: list[ServerAnswer]) -> ServerAnswer:
    newest = answers[0]
    for answer in answers[1:]:
        if answer.serial is not None and (newest.serial is None or _follows(answer.serial, newest.serial)):
            newest = answer
    return newest


def _follows(one: int, other: int) -> bool:
    """Whether serial `one` is newer (RFC 1982: serials wrap around)."""
    return one != other and (one - other) % 2**32 < _HALF
