"""A zone and its name servers in memory: `ports.Zone` and `ports.Verifier` over `fake_places.Places`."""

from __future__ import annotations

from dataclasses import dataclass, field

from fake_places import HOST, Places
from uscdr.errors import Conflict
from uscdr.models.dns import Caution, NameServer, RecordSet, RecordType, ServerAnswer, Sighting

OLD = RecordSet(name=HOST, type="CNAME", ttl=60, values=("old-target.dns.example",), extras={"proxied": "false"})
SERVERS = tuple(NameServer(host=f"ns{n}.example", address=f"192.0.2.{n}") for n in (1, 2))


@dataclass
class Names:
    """The primary holds a change at once, the second server some looks later. One object is zone and verifier."""

    places: Places
    held: dict[str, RecordSet] = field(default_factory=lambda: {HOST: OLD})
    seen: dict[str, RecordSet] = field(default_factory=lambda: {HOST: OLD})
    """What the second server says."""
    lag: int = 2
    """Looks until the second server follows."""
    writable: bool = True
    lame: bool = False
    warnings: tuple[Caution, ...] = ()
    obstacles: dict[str, str] = field(default_factory=dict)
    """Names that cannot have a CNAME, and why."""
    aliases: dict[str, str] = field(default_factory=dict)
    """Names that lead to the addresses of a target."""
    wildcard: str = ""
    """Where every name without a record leads."""
    by_hand: bool = False
    """Somebody carries out what the instructions say, once they were read."""
    read_out: list[RecordSet] = field(default_factory=list)
    _waiting: int = 0

    def __post_init__(self) -> None:
        self.places.pointing = lambda host: (
            self.held[host].values[0] if host in self.held else self.aliases.get(host, "")
        )

    def read(self, name: str, record_type: RecordType) -> RecordSet | None:
        return self.places.any.call("zone_read", lambda: self.held.get(name))

    def swap(self, name: str, record_type: RecordType, expected: RecordSet | None, wanted: RecordSet | None) -> None:
        def effect() -> None:
            now = self.held.get(name)
            if wanted is None:
                self.held.pop(name, None)
                self._waiting = self.lag
                return
            if wanted.same_values(now):
                return
            if (expected is None) != (now is None) or (expected is not None and not expected.same_values(now)):
                raise Conflict(f"{name} is {now and now.values}, not {expected and expected.values}.", provider="fake")
            self.put(wanted)

        self.places.any.write("swap", effect, name)

    def put(self, record: RecordSet) -> None:
        """Change it, whoever does."""
        self.held[record.name] = record
        self._waiting = self.lag

    def obstacle(self, name: str) -> str:
        return self.places.any.call("obstacle", lambda: self.obstacles.get(name, ""))

    def instructions(self, expected: RecordSet | None, wanted: RecordSet | None) -> tuple[str, ...]:
        if self.by_hand and wanted is not None:
            self.read_out.append(wanted)
        return (f"at the provider: {wanted and wanted.values[0]}",)

    def look(self, name: str, record_type: RecordType, *, target: str = "") -> Sighting:
        def looked() -> Sighting:
            while self.read_out:
                self.put(self.read_out.pop(0))
            self._waiting -= self._waiting > 0
            if not self._waiting:
                self.seen = dict(self.held)
            if record_type == "ALIAS":
                return self._alias(name, target)
            first = self._said(0, self.held.get(name), name)
            second = self._said(1, self.seen.get(name), name)
            if self.lame:
                second = ServerAnswer(server=SERVERS[1], state="lame")
            return Sighting(answers=(first, second))

        return self.places.any.call("look", looked)

    def _said(self, server: int, own: RecordSet | None, name: str) -> ServerAnswer:
        star = OLD.model_copy(update={"name": name, "values": (self.wildcard,)}) if self.wildcard else None
        if own is None and star is None:
            return ServerAnswer(server=SERVERS[server], state="no such record")
        return ServerAnswer(server=SERVERS[server], state="answered", records=own or star, borrowed=own is None)

    def _alias(self, name: str, target: str) -> Sighting:
        led = bool(target) and self.aliases.get(name) == target
        records = OLD.model_copy(update={"name": name, "type": "ALIAS", "values": (target if led else "192.0.2.9",)})
        return Sighting(answers=tuple(ServerAnswer(server=one, state="answered", records=records) for one in SERVERS))

    def addresses(self, name: str) -> tuple[str, ...] | None:
        return ("192.0.2.8",)

    def cautions(self, name: str, target: str) -> tuple[Caution, ...]:
        return self.warnings
