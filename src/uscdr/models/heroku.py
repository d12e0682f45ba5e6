"""What the platform says of itself. Times are aware UTC datetimes, sizes are bytes."""

from __future__ import annotations

from pydantic import Field, SecretStr

from uscdr.models.base import Fact, Moment

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
