"""The platform's data. Times are aware UTC datetimes, sizes are bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, SecretStr

from uscdr.models.base import Fact, Moment, RevealableSecret
from uscdr.models.data_settings import POSTGRES, service_of

if TYPE_CHECKING:
    from collections.abc import Iterable

KEEP_DATA = (
    POSTGRES, "heroku-kafka", "jawsdb", "jawsdb-maria", "cleardb", "mongolab", "ormongo", "graphenedb", "timescale",
    "bonsai", "searchbox", "bucketeer", "cloudcube",
)  # fmt: skip
"""Services with permanent data. A queue or cache is not one: its data is temporary."""


class Account(Fact):
    """The account behind the token."""

    email: str


class App(Fact):
    """One application."""

    id: str
    name: str
    maintenance: bool
    stack: str = ""
    region: str = ""
    owner_email: str = ""
    web_url: str | None = None
    released_at: Moment | None = None


class ProcessType(Fact):
    """One line of the formation: how many dynos of which process type and size."""

    type: str
    quantity: int
    size: str = ""
    command: str = ""


class Dyno(Fact):
    """One running, starting or crashed dyno. `state` is as the platform spells it: `up`, `crashed`."""

    id: str
    name: str
    type: str
    state: str
    size: str = ""
    command: str = ""
    release_version: int | None = None
    created_at: Moment | None = None
    updated_at: Moment | None = None
    """When its state last changed."""


class OneOffResult(Fact):
    """The end of an attached one-off dyno.

    `exit_status` is None when the connection ended without the exit mark: the outcome is unknown. `output` may contain
    personal data: it is never journalled or shown in full, and hidden in repr.
    """

    name: str
    exit_status: int | None
    output: str = Field(default="", repr=False)


class Release(Fact):
    """One release. `status` is `succeeded`, `failed`, `pending` or `expired`."""

    id: str
    version: int
    status: str
    description: str = ""
    current: bool = False
    created_at: Moment | None = None
    updated_at: Moment | None = None
    """When it ended, and took effect if it succeeded."""
    user_email: str = ""
    slug_id: str | None = None
    eligible_for_rollback: bool = False


class AddOn(Fact):
    """One add-on. `app_name` is the owning app, which need not be the app that uses it."""

    id: str
    name: str
    state: str
    plan: str
    app_id: str = ""
    app_name: str = ""
    config_vars: tuple[str, ...] = ()
    """The owning app's names; an app with an attachment has its own names."""

    @property
    def service(self) -> str:
        """`heroku-postgresql`."""
        return service_of(self.plan)

    @property
    def keeps_data(self) -> bool:
        """Whether its data is lost with it."""
        return self.service in KEEP_DATA

    def owned_by(self, app: str) -> bool:
        """Whether this application owns it; an add-on without a named owner counts as owned."""
        return self.app_name in ("", app)


class Attachment(Fact):
    """An add-on as one app sees it: `name` is `DATABASE`, its config variable `DATABASE_URL`."""

    name: str
    app_name: str
    addon_id: str
    addon_name: str
    owner_app_id: str = ""
    owner_app_name: str = ""
    plan: str = ""
    config_vars: tuple[str, ...] = ()


class Schedule(Fact):
    """One daily backup schedule; `hour` in `timezone`."""

    id: str
    name: str
    hour: int
    timezone: str
    retain_weeks: int | None = None
    retain_months: int | None = None

    @property
    def words(self) -> str:
        """`daily at 02:00 UTC`."""
        return f"daily at {self.hour:02d}:00 {self.timezone}"


class SignedUrl(Fact):
    """A link that lets its holder download all patients' data until it expires."""

    url: SecretStr
    expires_at: Moment | None = None


class Download(Fact):
    """A finished download: size in bytes and SHA-256 in hex."""

    size: int
    sha256: str


# The parts of a new application on the platform. Times are aware UTC datetimes.


class AddonPlan(Fact):
    """One available add-on plan: `heroku-postgresql:essential-0`; cents a month, None when unknown."""

    name: str
    state: str = ""
    cents: int | None = None
    default: bool = False


class Domain(Fact):
    """One hostname of an app. `cname` is the DNS target, None until the platform has created it."""

    id: str
    hostname: str
    kind: str
    status: str = ""
    cname: str | None = None
    acm_status: str | None = None
    """None, `pending`, `verified`, `dns-verified`, `cert issued`, `failing` or `failed`."""
    acm_reason: str = ""
    sni_endpoint: str | None = None


class Build(Fact):
    """One build. `status` is `pending`, `succeeded` or `failed`; slug and release are known once it succeeded."""

    id: str
    status: str
    commit: str = ""
    checksum: str = ""
    created_at: Moment | None = None
    slug_id: str | None = None
    release_id: str | None = None
    output_url: str | None = Field(default=None, repr=False)

    @classmethod
    def commit_of(cls, slug_id: str | None, builds: Iterable[Build]) -> str:
        """The commit of a slug; empty without a slug, or when no build names it."""
        made = (build.commit for build in builds if build.slug_id == slug_id and build.commit)
        return next(made, "") if slug_id is not None else ""


class LogDrain(Fact):
    """One log drain.

    Its address may contain credentials: only the host is shown. `url` is None when only the host is known; `addon` is
    the add-on that created it, or empty.
    """

    id: str
    host: str
    url: RevealableSecret | None = Field(default=None, repr=False)
    addon: str = ""


# What belongs to an application beside its code, data, config and processes, as far as the platform lists it.


class Belongings(Fact):
    """Names and hosts only: addresses of webhooks contain secrets."""

    features: tuple[str, ...] = ()
    """The enabled ones."""
    webhooks: tuple[str, ...] = ()
    """Hosts."""
    pipeline: str = ""
    """Name and stage, `clinic (production)`."""
    certificates: tuple[str, ...] = ()
    """Uploaded certificates, by their hostnames; without those that the platform manages."""
    team: str = ""
    """The owning team; empty for a personal application."""
    space: str = ""
    """Its private space."""
    unknown: dict[str, str] = Field(default_factory=dict)
    """What the platform refused to list, and why: `webhooks` -> the reason."""
