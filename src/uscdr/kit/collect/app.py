"""The application as the platform runs it, and its configuration variables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from uscdr.errors import BadInput, ProviderError
from uscdr.kit.collect.sources import Absent, Gaps, Gathering, present
from uscdr.kit.content import AppFacts, ConfigVars, DnsFacts, HostRecords
from uscdr.models.base import REVEAL
from uscdr.models.heroku import Belongings, Build, Domain, Release, Schedule
from uscdr.providers.ports.dns import Pointing, Zone
from uscdr.words import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import SecretStr

    from uscdr.kit.manifest import KitPart
    from uscdr.models.dns import RecordSet, RecordType, ServerAnswer
    from uscdr.providers.ports.platform import Platform, Provisioning

T = TypeVar("T")
RELEASES_LOOKED_AT = 15


def collect_app(gathering: Gathering) -> tuple[KitPart, AppFacts]:
    """Collect everything that a new application needs. Raises ProviderError if the app itself is unreadable."""
    gaps, app = Gaps(), gathering.request.app
    platform = gathering.sources.platform
    release = _current(gathering, gaps)

    def ask(what: str, question: Callable[[Provisioning], tuple[T, ...]]) -> tuple[T, ...]:
        nothing: tuple[T, ...] = ()
        return gaps.attempt(what, lambda: question(present(gathering.sources.provisioning)), nothing)

    facts = AppFacts(
        app=platform.app(app),
        account=platform.account().email,
        formation=platform.formation(app),
        addons=platform.addons(app),
        attachments=platform.attachments(app),
        release=release,
        commit=_commit(gathering, gaps, release),
        buildpacks=ask("buildpacks", lambda port: port.buildpacks(app)),
        domains=ask("domains", lambda port: port.domains(app)),
        collaborators=ask("collaborators", lambda port: port.collaborators(app)),
        log_drains=ask("log drains", lambda port: port.log_drains(app)),
        schedules=gaps.attempt("backup schedules", lambda: _schedules(gathering), ()),
        belongings=gaps.attempt("further belongings", lambda: _belongings(gathering), Belongings()),
    )
    for what, why in facts.not_kept():
        gaps.note(what, why)
    gathering.writer.add_bytes("app", "app.json", facts.model_dump_json(context=REVEAL).encode())
    part = gaps.part("app", _summary(facts))
    return part.model_copy(update={"taken_at": datetime.now(UTC)}), facts


def _current(gathering: Gathering, gaps: Gaps) -> Release | None:
    current = current_release(gathering.sources.platform, gathering.request.app)
    if current is None:
        gaps.note("current release", f"None of the newest {RELEASES_LOOKED_AT} releases is the current one.")
    return current


def current_release(platform: Platform, app: str) -> Release | None:
    """The current release, if it is among the newest. Raises ProviderError."""
    found = platform.releases(app, limit=RELEASES_LOOKED_AT)
    return next((release for release in found if release.current), None)


def _commit(gathering: Gathering, gaps: Gaps, release: Release | None) -> str:
    """The deployed commit."""
    if release is None:
        return ""
    app = gathering.request.app
    builds = gaps.attempt("deployed commit", lambda: present(gathering.sources.deploys).builds(app), None)
    if builds is None:
        return ""
    commit = Build.commit_of(release.slug_id, builds)
    if not commit:
        gaps.note("deployed commit", f"The platform has no build for the slug of release v{release.version}.")
    return commit


def _schedules(gathering: Gathering) -> tuple[Schedule, ...]:
    request, sources = gathering.request, gathering.sources
    return sources.backups.schedules(sources.platform.database(request.app, request.database).addon_id)


def _belongings(gathering: Gathering) -> Belongings:
    return present(gathering.sources.provisioning).belongings(gathering.request.app)


def _summary(facts: AppFacts) -> str:
    version = f"release v{facts.release.version}" if facts.release else "unknown release"
    running = ", ".join(f"{one.type}={one.quantity}" for one in facts.formation)
    amounts = (plural(len(facts.addons), "add-on"), plural(len(facts.hostnames), "hostname"))
    return ", ".join((version, running or "no formation", *amounts))


# All configuration variables: their values go into the kit, encrypted.


def collect_config(gathering: Gathering) -> tuple[KitPart, Mapping[str, SecretStr]]:
    """The part and the values, which later parts need. Raises ProviderError if they are unreadable."""
    values = dict(gathering.sources.platform.config_vars(gathering.request.app))
    document = ConfigVars(values=values).model_dump_json(context=REVEAL)
    gathering.writer.add_bytes("config", "config.json", document.encode())
    gaps = Gaps()
    for name in gathering.request.required:
        if name not in values:
            gaps.note(name, "scenarios.yaml requires this variable. The application does not have it.")
    if not values:
        gaps.note("configuration variables", "The platform listed none.")
    part = gaps.part("config", plural(len(values), "variable"))
    return part.model_copy(update={"taken_at": datetime.now(UTC)}), values


# The records of the application's hostnames, as the authoritative servers say and as the zone holds them.


ASKED: tuple[RecordType, ...] = ("CNAME", "A", "AAAA", "CAA", "TXT")
IN_ZONE: tuple[RecordType, ...] = ("ALIAS", *ASKED)
"""ALIAS exists only at the provider; its name servers answer with A."""


def collect_dns(gathering: Gathering, domains: Sequence[Domain]) -> KitPart:
    """Query every hostname of `domains` and the configuration; a hostname without any record is a gap."""
    gaps, sources = Gaps(), gathering.sources
    targets = {domain.hostname.lower().rstrip("."): domain.cname or "" for domain in domains if domain.kind != "heroku"}
    wanted = sorted({name.lower().rstrip(".") for name in (*targets, *gathering.request.hostnames)})
    if wanted and isinstance(sources.zone, Absent):
        gaps.note("records in the provider's zone", sources.zone.why)
    hosts = tuple(_host(gathering, gaps, name, targets.get(name, "")) for name in wanted)
    gathering.writer.add_bytes("dns", "dns.json", DnsFacts(hosts=hosts).model_dump_json().encode())
    records = sum(len(host.authoritative) for host in hosts)
    summary = (
        f"{plural(len(hosts), 'hostname')}, {plural(records, 'record set')}" if hosts else "no hostnames of its own"
    )
    return gaps.part("dns", summary).model_copy(update={"taken_at": datetime.now(UTC)})


def _host(gathering: Gathering, gaps: Gaps, name: str, target: str) -> HostRecords:
    gathering.check()
    seen = [_authoritative(gathering, gaps, name, kind) for kind in ASKED]
    found = tuple(one.records for one in seen if one and one.records and not one.borrowed)
    by_wildcard = tuple(one.records for one in seen if one and one.records and one.borrowed)
    zone = gathering.sources.zone
    held: list[RecordSet] = []
    for kind in () if isinstance(zone, Absent) else IN_ZONE:
        records = gaps.attempt(f"{name} {kind} in the zone", _in_zone(zone, name, kind), None)
        held += [records] if records is not None else []
    if not (found or held or by_wildcard):
        gaps.note(name, "Neither the name servers nor the zone have a record.")
    return HostRecords(
        hostname=name, authoritative=found, at_provider=tuple(held), wildcard=by_wildcard,
        led=_led(gathering, name, target),
    )  # fmt: skip


def _led(gathering: Gathering, name: str, target: str) -> bool | None:
    if not target or isinstance(gathering.sources.verifier, Absent):
        return None
    try:
        verifier = gathering.sources.verifier
        return Pointing.seen(verifier, name, target.lower().rstrip(".")).at_target_or_unknown(verifier)
    except ProviderError:
        return None


def _in_zone(zone: Zone | Absent, name: str, kind: RecordType) -> Callable[[], RecordSet | None]:
    def read() -> RecordSet | None:
        try:
            return present(zone).read(name, kind)
        except BadInput:
            if kind != "ALIAS":
                raise
            return None  # the zone does not support this type

    return read


def _authoritative(gathering: Gathering, gaps: Gaps, name: str, kind: RecordType) -> ServerAnswer | None:
    """The servers' common answer; a disagreement or a missing answer is a gap, and the first answer is kept."""
    verifier = gathering.sources.verifier
    sighting = gaps.attempt(f"{name} {kind}", lambda: present(verifier).look(name, kind), None)
    if sighting is None:
        return None
    silent = [
        f"{one.server.host} {one.state}" for one in sighting.answers if one.state in ("lame", "refused", "timeout")
    ]
    if silent:
        gaps.note(f"{name} {kind}", f"Not every name server answered: {', '.join(silent)}.")
    told = [one for one in sighting.answers if one.records is not None]
    said = [one.records for one in told if one.records is not None]
    answered = [one for one in sighting.answers if one.state in ("answered", "no such record")]
    if said and (len(said) < len(answered) or not all(said[0].same_values(other) for other in said)):
        gaps.note(f"{name} {kind}", "The name servers disagree. The kit has the answer of the first one.")
    return told[0] if told else None
