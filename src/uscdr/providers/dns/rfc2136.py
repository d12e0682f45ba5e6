"""The `Zone` port by dynamic update. Source: RFC 2136; prerequisites make it a compare-and-set."""

from __future__ import annotations

import dns.rcode
import dns.rdatatype
import dns.update
from pydantic import SecretStr

from uscdr.errors import BadInput
from uscdr.leave import ANYHOW, Leave
from uscdr.models.dns import RecordSet, RecordType
from uscdr.providers.dns.instructions import by_hand
from uscdr.providers.dns.names import normal, wire_name
from uscdr.providers.dns.obstacles import obstacle
from uscdr.providers.dns.primary import Primary, signing_key
from uscdr.providers.dns.records import answered, to_wire
from uscdr.providers.dns.refusals import PROVIDER
from uscdr.providers.dns.swapping import Swap, checked, conflict, ignored
from uscdr.providers.dns.wildcards import borrowed, may_borrow, unmade
from uscdr.providers.retry import Patience
from uscdr.providers.transports import Record

TIMEOUT = 10.0
"""Seconds for a connection, and again for an answer."""


class Rfc2136Zone:
    """`zone` at its primary `server` (address or host name).

    `key` is the base64 secret of the TSIG key `key_name`; without a name messages go unsigned, for servers that
    trust addresses. Raises `ConfigError` for a key that cannot be one.
    """

    def __init__(
        self,
        zone: str,
        server: str,
        port: int = 53,
        *,
        key_name: str = "",
        key: SecretStr | None = None,
        algorithm: str = "hmac-sha256",
        read_only: bool,
        timeout: float = TIMEOUT,
        patience: Patience | None = None,
        record: Record | None = None,
        leave: Leave = ANYHOW,
    ) -> None:
        self.zone = normal(zone)
        signing = signing_key(key_name, key or SecretStr(""), algorithm) if key_name else None
        self._primary = Primary(
            server,
            port,
            signing,
            timeout=timeout,
            read_only=read_only,
            patience=patience or Patience(),
            record=record,
            leave=leave,
        )

    @property
    def writable(self) -> bool:
        """True: this zone can be changed by a program."""
        return True

    def read(self, name: str, record_type: RecordType) -> RecordSet | None:
        """What the primary holds now (query over TCP, no recursion), of the name's own.

        Where a wildcard gives the very same, an UPDATE that only asks (prerequisites, no change) tells whether the
        name has records; a run that only reads takes it that it has none.
        """
        _known_on_the_wire(record_type)
        name = normal(name)
        held = self._answered(name, record_type)
        if held is None or not may_borrow(name, self.zone):
            return held
        if not borrowed(held, self._answered(unmade(name), record_type)):
            return held
        return held if self._has_own(name, record_type) else None

    def obstacle(self, name: str) -> str:
        """The protocol's: the apex, and what stands beside."""
        return obstacle(self.zone, normal(name), self.read)

    def _answered(self, name: str, record_type: RecordType) -> RecordSet | None:
        return answered(self._primary.ask(name, record_type), name, record_type)

    def _has_own(self, name: str, record_type: RecordType) -> bool:
        if self._primary.read_only:
            return False
        question = dns.update.UpdateMessage(wire_name(self.zone))
        question.present(wire_name(name), dns.rdatatype.from_text(record_type))
        what = f"tell whether {name} has a {record_type} of its own"
        return self._primary.update(question, what, f"{name}/{record_type}") == dns.rcode.NOERROR

    def swap(self, name: str, record_type: RecordType, expected: RecordSet | None, wanted: RecordSet | None) -> None:
        """One UPDATE whose prerequisites are the expected values; then a look whether it took effect."""
        _known_on_the_wire(record_type)
        swap = checked(self.zone, name, record_type, expected, wanted)
        held = self.read(swap.name, record_type)
        if swap.is_done(held):
            return
        what = f"change {swap.name} ({record_type})"
        code = self._primary.update(_update(swap), what, f"{swap.name}/{record_type}")
        held = self.read(swap.name, record_type)
        if code != dns.rcode.NOERROR:
            raise conflict(swap, held, provider=PROVIDER)
        if not swap.is_done(held):
            raise ignored(swap, held, provider=PROVIDER)

    def instructions(self, expected: RecordSet | None, wanted: RecordSet | None) -> tuple[str, ...]:
        """The change as a person would make it."""
        return by_hand(self.zone, expected, wanted)


def _update(swap: Swap) -> dns.update.UpdateMessage:
    """Prerequisites of RFC 2136 section 2.4 (the set with these values, or no such set), then the change."""
    message = dns.update.UpdateMessage(wire_name(swap.zone))
    name, record_type = wire_name(swap.name), dns.rdatatype.from_text(swap.type)
    if swap.expected is None:
        message.absent(name, record_type)
    else:
        message.present(name, *to_wire(swap.expected))
    if swap.wanted is None:
        message.delete(name, record_type)
    else:
        message.replace(name, swap.wanted.ttl, *to_wire(swap.wanted))
    return message


def _known_on_the_wire(record_type: RecordType) -> None:
    if record_type == "ALIAS":
        raise BadInput(
            "An ALIAS is no record of the DNS protocol; a dynamic update cannot set it.",
            next_action="Use the provider's own API or change it by hand: set `adapter` to cloudflare or manual.",
        )
