"""The `Verifier` port: asks every authoritative server directly; only their answers count."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from uscdr.models.dns import Caution, NameServer, RecordSet, RecordType, ServerAnswer, Sighting
from uscdr.providers.dns.query import Resolvers, State, addresses_in, attempt
from uscdr.providers.dns.records import (
    is_wildcard_answer,
    normal,
    random_sibling,
    records_in,
    serial,
    wildcard_could_answer,
)
from uscdr.providers.dns.survey import Delegation, NameSurvey
from uscdr.threads import Ahead, run_all

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

TIMEOUT = 3.0
"""Seconds for one attempt; each server gets one by UDP and one by TCP."""
FRESH = 60.0
"""Seconds for which a found set of servers is reused without a new lookup."""
AT_ONCE = 16


class DnsVerifier:
    """`resolvers` find the servers (None: the system's; empty: none); they are never asked for the name itself.

    `servers` replaces the lookup. `port` is that of found servers.
    """

    def __init__(
        self,
        resolvers: Sequence[NameServer] | None = None,
        *,
        servers: Sequence[NameServer] = (),
        port: int = 53,
        timeout: float = TIMEOUT,
        stop: threading.Event | None = None,
    ) -> None:
        self._resolvers = Resolvers(resolvers, timeout=timeout)
        self._explicit = tuple(servers)
        self._port = port
        self._timeout = timeout
        self._stop = stop
        self._found: dict[str, tuple[float, Delegation]] = {}

    def authoritative_servers(self, name: str) -> tuple[NameServer, ...]:
        """Every address of every server that the zone of `name` is delegated to, looked up now."""
        return self._look_up(normal(name)).servers

    def zone(self, name: str) -> str:
        """The zone that `name` is in."""
        return self._delegation(normal(name)).zone

    def look(self, name: str, record_type: RecordType, *, target: str = "") -> Sighting:
        """Each server's current answer, asked in parallel, with the serial of its copy of the zone."""
        name = normal(name)
        delegation = self._delegation(name)
        if record_type == "ALIAS":
            one = partial(self._alias, delegation.zone, name, normal(target), self._addresses(delegation, target))
        else:
            one = partial(self._plain, delegation.zone, name, record_type)
        return self._gather([partial(one, server) for server in delegation.servers])

    def addresses(self, name: str) -> tuple[str, ...] | None:
        """By the given servers, else by resolvers."""
        return self._survey(Delegation("", ())).addresses(normal(name))

    def cautions(self, name: str, target: str) -> tuple[Caution, ...]:
        """Reasons why pointing `name` at `target` may fail or mislead, the blocking ones first."""
        name, target = normal(name), normal(target)
        return self._survey(self._delegation(name)).of(name, target).cautions()

    def _gather(self, tasks: Sequence[partial[ServerAnswer]]) -> Sighting:
        return Sighting(answers=tuple(run_all(tasks, workers=AT_ONCE, stop=self._stop)))

    def _plain(self, zone: str, name: str, record_type: RecordType, server: NameServer) -> ServerAnswer:
        """Three questions at once: the records, those of a name beside it, and the serial."""
        other = random_sibling(name) if wildcard_could_answer(name, zone) else None
        serial_ = Ahead(partial(self._serial, server, zone))
        beside = Ahead(partial(self._records, server, other, record_type)) if other else None
        state, message = attempt(server, name, record_type, timeout=self._timeout)
        if message is None:
            return _told(server, state, None)
        records = records_in(message, name, record_type)
        borrowed = records is not None and beside is not None and is_wildcard_answer(records, beside.result())
        return _told(server, state, records, serial_.result()).model_copy(update={"borrowed": borrowed})

    def _records(self, server: NameServer, name: str, record_type: RecordType) -> RecordSet | None:
        _, message = attempt(server, name, record_type, timeout=self._timeout)
        return records_in(message, name, record_type) if message is not None else None

    def _alias(self, zone: str, name: str, target: str, addresses: frozenset[str], server: NameServer) -> ServerAnswer:
        """Servers do not show an ALIAS: one shared address with the target counts, because answers rotate."""
        seen: set[str] = set()
        ttl = 0
        for kind in ("A", "AAAA"):
            state, message = attempt(server, name, kind, timeout=self._timeout)
            if message is None:
                return _told(server, state, None)
            seen.update(addresses_in(message))
            ttl = max([ttl, *(int(rrset.ttl) for rrset in message.answer)])
        values = (target,) if seen & addresses else tuple(sorted(seen))
        records = RecordSet(name=name, type="ALIAS", ttl=ttl, values=values) if values else None
        return _told(server, "answered", records, self._serial(server, zone))

    def _serial(self, server: NameServer, zone: str) -> int | None:
        _, message = attempt(server, zone, "SOA", timeout=self._timeout)
        return None if message is None else serial(message, zone)

    def _addresses(self, delegation: Delegation, target: str) -> frozenset[str]:
        return frozenset(self._survey(delegation).addresses(normal(target)) or ()) if target else frozenset()

    def _survey(self, delegation: Delegation) -> NameSurvey:
        return NameSurvey(delegation, self._resolvers, explicit=self._explicit, timeout=self._timeout)

    def _delegation(self, name: str) -> Delegation:
        at, found = self._found.get(name, (0.0, None))
        if found is not None and time.monotonic() - at < FRESH:
            return found
        return self._look_up(name)

    def _look_up(self, name: str) -> Delegation:
        if self._explicit:
            found = Delegation.among(name, self._explicit, timeout=self._timeout)
        else:
            found = Delegation.of(name, self._resolvers, port=self._port, timeout=self._timeout)
        self._found[name] = (time.monotonic(), found)
        return found


def _told(server: NameServer, state: State, records: RecordSet | None, serial_: int | None = None) -> ServerAnswer:
    if state == "answered" and records is None:
        return ServerAnswer(server=server, state="no such record", serial=serial_)
    return ServerAnswer(server=server, state=state, records=records, serial=serial_)
