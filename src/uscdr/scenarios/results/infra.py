"""What the steps of `recover infra` find out and do. No secret: config variables by name and fingerprint only."""

from __future__ import annotations

from pydantic import Field

from uscdr.models.base import Fact, Moment
from uscdr.models.dns import RecordSet


class Need(Fact):
    """One part of the recovery, the provider it needs, and whether that answers."""

    part: str
    provider: str
    possible: bool
    why: str = ""


class InfraSeen(Fact):
    """The scope of the loss: what still answers, and what a new place would be made like."""

    account: str
    old_app: str
    old_answers: bool
    old_why: str = ""
    old_open: str = ""
    """What runs of it, while it is open and has its database and another is built beside it."""
    new_app: str
    new_exists: bool
    in_place: bool
    knows: str
    """Where the facts below come from: the old application, or the kit."""
    rows_there: int = 0
    """In place: rows in the database that the application still has."""
    kit: str = ""
    kit_old: str = ""
    """Seconds."""
    region: str = ""
    stack: str = ""
    formation: dict[str, int] = Field(default_factory=dict)
    sizes: dict[str, str] = Field(default_factory=dict)
    """Process type -> dyno size in the old place; empty where it is not told."""
    buildpacks: tuple[str, ...] = ()
    plans: tuple[str, ...] = ()
    """Add-on plans to order, checked against what is sold now."""
    replaced: tuple[str, ...] = ()
    """Plans of the old place that are not sold any more, in words."""
    left_out: tuple[str, ...] = ()
    """Add-ons of the old place that this run does not order again, in words."""
    attached: tuple[str, ...] = ()
    """Add-ons of other applications that were attached to the old place, in words."""
    sharing: tuple[str, ...] = ()
    """Other applications that go on with the old place's add-ons, in sentences."""
    by_hand_after: tuple[str, ...] = ()
    """What else the old place had that this run does not bring back, with what a person does, in words."""
    monthly_cents: int | None = None
    hostnames: tuple[str, ...] = ()
    records: tuple[RecordSet, ...] = ()
    """What the zone holds for the hostnames now: what a switch expects, and what a rollback brings back."""
    by_hand: dict[str, str] = Field(default_factory=dict)
    """Hostnames for which no CNAME can be written, and why: a person makes their records."""
    nowhere: tuple[str, ...] = ()
    """Those of them that did not lead to the old place: nobody reached it by them."""
    zone_read: bool = True
    """Whether the zone could be asked for them."""
    collaborators: tuple[str, ...] = ()
    log_drains: tuple[str, ...] = ()
    commit: str = ""
    code: str = ""
    """Where the code comes from, in words."""
    needs: tuple[Need, ...] = ()


class Materials(Fact):
    """Config variables for the new place, by name."""

    origin: str
    copied: tuple[str, ...]
    changed: tuple[str, ...]
    """Copied, but rewritten: they hold an address of the old place."""
    withheld: tuple[str, ...]
    """Kept back until the switch."""
    from_addons: tuple[str, ...]
    missing: tuple[str, ...] = ()
    has_key: bool = False
    left: dict[str, str] = Field(default_factory=dict)
    """Not set in the new place, and why: they hold what is gone."""
    doubtful: dict[str, str] = Field(default_factory=dict)
    """Copied as they are, and why a person should look at them."""
    in_place: bool = False

    def words(self) -> tuple[str, ...]:
        """What is not simply copied, in a few sentences."""
        done = (f"rewritten to the new addresses: {', '.join(self.changed)}",) if self.changed else ()
        return (*done, *self.tasks())

    def tasks(self) -> tuple[str, ...]:
        """What a person has to see to, in a few sentences."""
        fate = "NOT changed" if self.in_place else "NOT set"
        return (*_by_reason(fate, self.left), *_by_reason("LOOK AT", self.doubtful))


def _by_reason(head: str, names: dict[str, str]) -> tuple[str, ...]:
    reasons = dict.fromkeys(names.values())
    return tuple(f"{head}: {', '.join(n for n, why in names.items() if why == one)} ({one})" for one in reasons)


class KeyTried(Fact):
    """Encrypted columns of the proven backup, decrypted with the key that the new place gets."""

    columns: int
    sampled: int
    matching: int
    unreadable: int
    unencrypted: int
    unknown: tuple[str, ...] = ()
    """Columns that could not be tried."""


class InfraDecision(Fact):
    """What the operator agreed to."""

    app: str
    backup: str
    hostnames: tuple[str, ...]


class OldStopped(Fact):
    """The old application, kept from writing and from mailing; empty when it does not answer."""

    formation: dict[str, int] = Field(default_factory=dict)
    """What was scaled to run."""
    dynos: tuple[str, ...] = ()
    """What ran, one-off dynos too."""
    shut: bool = False
    """Whether maintenance mode was on."""
    answers: bool = False
    why: str = ""
    """Why it cannot be stopped, when it does not answer."""


class AppMade(Fact):
    """The new application."""

    name: str
    web_url: str
    made: bool


class AddonReady(Fact):
    """An add-on that can be used."""

    id: str
    name: str
    plan: str
    ordered: bool = False
    """Whether this run ordered it: then nobody's data are in it."""


class DatabaseReady(AddonReady):
    """The new database."""


class ConfigSet(Fact):
    """Names of variables that were set, and of those that were right already."""

    set: tuple[str, ...]
    kept: tuple[str, ...]


class DomainTarget(Fact):
    """A hostname of the new application and where DNS must point."""

    hostname: str
    target: str


class DomainsBound(Fact):
    """The hostnames, bound to the new application."""

    targets: tuple[DomainTarget, ...]


_BY_HAND = "ALIAS, ANAME or a flattened CNAME, as the provider has it; no A record, the platform's addresses change"


class NameLeft(Fact):
    """A hostname whose record a person has to make, and why no CNAME could be written for it."""

    hostname: str
    target: str
    why: str

    @property
    def task(self) -> str:
        """What a person does, in one line."""
        return f"point {self.hostname} at {self.target} ({_BY_HAND}): {self.why}"


class Switched(Fact):
    """The names lead to the new place; `old` is what a rollback brings back."""

    old: tuple[RecordSet, ...]
    new: tuple[RecordSet, ...]
    at: Moment
    old_answers_until: Moment
    """Until then a resolver may still give the old answer."""
    left: tuple[NameLeft, ...] = ()
    """Hostnames that were not moved, because a person has to; they may lead to the new place all the same."""


class CertificatesSeen(Fact):
    """Hostname -> state of its certificate; `left`: hostnames for which a person has to do something first."""

    states: dict[str, str]
    left: tuple[str, ...] = ()
