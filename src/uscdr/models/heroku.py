"""What the platform says of itself. Times are aware UTC datetimes, sizes are bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, SecretStr, SerializationInfo, field_serializer

from uscdr.models.base import Fact, Moment, spelled

if TYPE_CHECKING:
    from collections.abc import Iterable

POSTGRES, REDIS = "heroku-postgresql", "heroku-redis"
KEEP_DATA = (
    POSTGRES, "heroku-kafka", "jawsdb", "jawsdb-maria", "cleardb", "mongolab", "ormongo", "graphenedb", "timescale",
    "bonsai", "searchbox", "bucketeer", "cloudcube",
)  # fmt: skip
"""Services that keep what nothing else has. A queue or cache is none of them: what lasts is not kept there."""


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

    `exit_status` is None when the connection ended without the exit mark: the outcome is unknown.
    `output` may hold personal data: it is never journalled or shown whole, and hidden in repr.
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
    """As the owning app has them; an app that it is attached to has its own names."""

    @property
    def service(self) -> str:
        """`heroku-postgresql`."""
        return service_of(self.plan)

    @property
    def keeps_data(self) -> bool:
        """Whether what it holds is lost with it."""
        return self.service in KEEP_DATA

    def owned_by(self, app: str) -> bool:
        """Whether it is this application's own; an add-on that tells no owner is."""
        return self.app_name in ("", app)


def service_of(plan: str) -> str:
    """`heroku-postgresql:essential-0` -> `heroku-postgresql`."""
    return plan.partition(":")[0]


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


class ServiceColor(Fact):
    """One line of a provider's status page: `green`, `yellow`, `red`."""

    system: str
    status: str


class StatusReport(Fact):
    """A provider's status page now."""

    systems: tuple[ServiceColor, ...] = ()
    incidents: tuple[str, ...] = ()

    @property
    def healthy(self) -> bool:
        """Whether every system is green; False also when nothing was listed."""
        return bool(self.systems) and all(s.status == "green" for s in self.systems)


class Download(Fact):
    """A finished download: size in bytes and SHA-256 in hex."""

    size: int
    sha256: str


# What a new place at the platform is made of. Times are aware UTC datetimes.


class AddonPlan(Fact):
    """One add-on plan that is sold now: `heroku-postgresql:essential-0`; cents a month, None when not told."""

    name: str
    state: str = ""
    cents: int | None = None
    default: bool = False


class Domain(Fact):
    """One hostname of an app. `cname` is the DNS target, None while the platform has not made it yet."""

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


def commit_of(slug_id: str | None, builds: Iterable[Build]) -> str:
    """The commit that a slug was built from; empty without a slug, and when no build tells."""
    made = (build.commit for build in builds if build.slug_id == slug_id and build.commit)
    return next(made, "") if slug_id is not None else ""


class LogDrain(Fact):
    """One log drain. Its address may carry credentials: of it only the host is for people.

    `url` is None where only the host was told; `addon` is the add-on that brings it along, or empty.
    """

    id: str
    host: str
    url: SecretStr | None = Field(default=None, repr=False)
    addon: str = ""

    @field_serializer("url")
    def _spell(self, url: SecretStr | None, info: SerializationInfo) -> str | None:
        return spelled(url, info) if url is not None else None


# What hangs on an application beside its code, data, config and processes, as far as the platform tells it.


class Belongings(Fact):
    """Names and hosts only: addresses of webhooks carry secrets."""

    features: tuple[str, ...] = ()
    """Those that are turned on."""
    webhooks: tuple[str, ...] = ()
    """Hosts."""
    pipeline: str = ""
    """Name and stage, `clinic (production)`."""
    certificates: tuple[str, ...] = ()
    """Uploaded ones, by the names that they are for; without those that the platform manages."""
    team: str = ""
    """Whose members' rights come from the team; empty for an application of a person."""
    space: str = ""
    """The private space it runs in."""
    unknown: dict[str, str] = Field(default_factory=dict)
    """What could not be asked, and why: `webhooks` -> the reason."""
