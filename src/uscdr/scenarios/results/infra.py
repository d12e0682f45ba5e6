"""Results of the steps of `recover infra`. No secret: config variables by name and fingerprint only."""

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
    """The scope of the loss: what still answers, and what the new application will be like."""

    account: str
    old_app: str
    old_answers: bool
    old_why: str = ""
    old_open: str = ""
    """What runs of the old application, if it is open with its database while another is built."""
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
    """Process type -> dyno size in the old application; empty when unknown."""
    buildpacks: tuple[str, ...] = ()
    plans: tuple[str, ...] = ()
    """Add-on plans to order; all are sold now."""
    replaced: tuple[str, ...] = ()
    """Plans of the old application that are no longer sold, in words."""
    left_out: tuple[str, ...] = ()
    """Add-ons of the old application that this run does not order again, in words."""
    attached: tuple[str, ...] = ()
    """Add-ons of other applications that were attached to the old one, in words."""
    sharing: tuple[str, ...] = ()
    """Other applications that keep using the old application's add-ons, in sentences."""
    by_hand_after: tuple[str, ...] = ()
    """What else the old application had that this run does not restore, with what a person does, in words."""
    monthly_cents: int | None = None
    hostnames: tuple[str, ...] = ()
    records: tuple[RecordSet, ...] = ()
    """The hostnames' present records in the zone: the switch expects them, and a rollback restores them."""
    by_hand: dict[str, str] = Field(default_factory=dict)
    """Hostnames that cannot have a CNAME, and why: a person creates their records."""
    nowhere: tuple[str, ...] = ()
    """Hostnames of `by_hand` that did not lead to the old application, so that nobody used them."""
    zone_read: bool = True
    """Whether the zone could be read."""
    collaborators: tuple[str, ...] = ()
    log_drains: tuple[str, ...] = ()
    commit: str = ""
    code: str = ""
    """Where the code comes from, in words."""
    needs: tuple[Need, ...] = ()


class Materials(Fact):
    """Config variables of the new application, by name."""

    origin: str
    copied: tuple[str, ...]
    changed: tuple[str, ...]
    """Copied with an address of the old application rewritten."""
    withheld: tuple[str, ...]
    """Not set until the switch."""
    from_addons: tuple[str, ...]
    missing: tuple[str, ...] = ()
    has_key: bool = False
    left: dict[str, str] = Field(default_factory=dict)
    """Not set in the new application, and why."""
    doubtful: dict[str, str] = Field(default_factory=dict)
    """Copied unchanged, and why a person should check them."""
    in_place: bool = False

    def words(self) -> tuple[str, ...]:
        """What is not simply copied, in a few sentences."""
        done = (f"rewritten to the new addresses: {', '.join(self.changed)}",) if self.changed else ()
        return (*done, *self.tasks())

    def tasks(self) -> tuple[str, ...]:
        """What a person must do, in a few sentences."""
        fate = "NOT changed" if self.in_place else "NOT set"
        return (*_by_reason(fate, self.left), *_by_reason("LOOK AT", self.doubtful))


def _by_reason(head: str, names: dict[str, str]) -> tuple[str, ...]:
    reasons = dict.fromkeys(names.values())
    return tuple(f"{head}: {', '.join(n for n, why in names.items() if why == one)} ({one})" for one in reasons)


class KeyTried(Fact):
    """Encrypted columns of the proven backup, decrypted with the new application's key."""

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
    """The old application, stopped from writing and mailing; empty when it does not answer."""

    formation: dict[str, int] = Field(default_factory=dict)
    """The formation before it was stopped."""
    dynos: tuple[str, ...] = ()
    """The dynos that ran, one-off dynos too."""
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
    """Whether this run ordered it: then it has no data of anybody."""


class DatabaseReady(AddonReady):
    """The new database."""


class ConfigSet(Fact):
    """Names of variables that were set, and of those that had the right value already."""

    set: tuple[str, ...]
    kept: tuple[str, ...]


class DomainTarget(Fact):
    """A hostname of the new application and the target that DNS must point to."""

    hostname: str
    target: str


class DomainsBound(Fact):
    """The hostnames, bound to the new application."""

    targets: tuple[DomainTarget, ...]


_BY_HAND = "ALIAS, ANAME or a flattened CNAME, as the provider has it; no A record, the platform's addresses change"


class NameLeft(Fact):
    """A hostname whose record a person must create, and why it cannot have a CNAME."""

    hostname: str
    target: str
    why: str

    @property
    def task(self) -> str:
        """What a person does, in one line."""
        return f"point {self.hostname} at {self.target} ({_BY_HAND}): {self.why}"


class Switched(Fact):
    """The hostnames lead to the new application; a rollback restores `old`."""

    old: tuple[RecordSet, ...]
    new: tuple[RecordSet, ...]
    at: Moment
    old_answers_until: Moment
    """Until then a resolver may give the old answer."""
    left: tuple[NameLeft, ...] = ()
    """Hostnames that a person must move; they may lead to the new application already."""


class CertificatesSeen(Fact):
    """Hostname -> state of its certificate; `left`: hostnames for which a person must do something first."""

    states: dict[str, str]
    left: tuple[str, ...] = ()
