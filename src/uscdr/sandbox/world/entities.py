"""What exists at the emulated provider. Mutable on purpose: this is the state that calls change."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from uscdr.sandbox.broker.server import Broker
    from uscdr.sandbox.builds.stream import OutputStream

STACK = {"id": "3a3e5b2c-5d0f-4a52-9d6e-0c2a6f1d24aa", "name": "heroku-24"}
REGION = {"id": "59accabd-516d-4f0e-83e6-6e3757701145", "name": "us"}
STACKS = {
    one["name"]: one
    for one in (
        {"id": "a9fbd4d5-2f5f-4a7a-8f1c-6b8e2d0f3c55", "name": "heroku-22"},
        STACK,
        {"id": "0f7c9b1e-44aa-4e3f-9c7d-1d2e3f405162", "name": "heroku-26"},
    )
}
REGIONS = {one["name"]: one for one in (REGION, {"id": "ed30241c-ed8c-4bb6-9714-61953675d0b4", "name": "eu"})}


def new_id() -> str:
    """A fresh uuid, as every resource has one."""
    return str(uuid4())


def now() -> datetime:
    """The time in UTC, to the second below it where it is shown."""
    return datetime.now(UTC)


def stamp(moment: datetime | None) -> str | None:
    """ISO 8601 as the Platform API writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


@dataclass(slots=True)
class Account:
    """Somebody with a token. While it is suspended every call with that token is refused."""

    email: str
    token: str = field(repr=False, default_factory=lambda: f"HRKU-{secrets.token_urlsafe(32)}")
    suspended_at: datetime | None = None
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)


@dataclass(slots=True)
class Slug:
    """An unpacked build: immutable once made, shared by every dyno of its releases."""

    id: str
    directory: Path
    process_types: dict[str, str]
    commit: str
    size: int
    checksum: str
    language: str = "Python"
    stack: str = STACK["name"]
    created_at: datetime = field(default_factory=now)


@dataclass(slots=True)
class Release:
    """One entry of an app's append-only history, with the config it runs under."""

    version: int
    description: str
    slug: Slug | None
    config: dict[str, str]
    status: str = "pending"
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)
    output: OutputStream | None = None
    plans: tuple[str, ...] = ()
    fault: str = ""
    done: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class FormationEntry:
    """How many dynos of one process type there should be."""

    type: str
    command: str
    quantity: int
    size: str = "Basic"
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)


@dataclass(slots=True)
class Database:
    """The PostgreSQL side of a database add-on."""

    name: str
    user: str
    password: str = field(repr=False, default_factory=lambda: secrets.token_hex(24))
    limit: int = 20


@dataclass(slots=True)
class Addon:
    """An add-on. `app_id` is the owning app, which also owns its transfers."""

    name: str
    service: str
    plan: str
    app_id: str
    database: Database | None = None
    broker: Broker | None = field(default=None, repr=False)
    config: dict[str, str] = field(default_factory=dict, repr=False)
    state: str = "provisioned"
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)
    schedules: list[dict[str, Any]] = field(default_factory=list)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)


@dataclass(slots=True)
class Attachment:
    """The name under which an app sees an add-on; its config var is `<name>_URL`."""

    name: str
    app_id: str
    addon_id: str
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)


@dataclass(slots=True)
class Domain:
    """A hostname of an app."""

    hostname: str
    kind: str
    cname: str | None
    status: str = "succeeded"
    acm_status: str | None = None
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)
    sni_endpoint: str | None = None
    acm_reason: str | None = None
    ready_at: float = 0.0
    """When the platform has a DNS target for it; this and the next two in seconds of the monotonic clock."""
    acm_since: float = 0.0
    verified_at: float | None = None


@dataclass(slots=True)
class SniEndpoint:
    """A certificate that an app serves, with its private key."""

    name: str
    chain: str = field(repr=False)
    key: str = field(repr=False)
    automated: bool = False
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)
    certificate_id: str = field(default_factory=new_id)


@dataclass(slots=True)
class Collaborator:
    """Somebody who may work on an app and does not own it."""

    email: str
    id: str = field(default_factory=new_id)
    user_id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)


@dataclass(slots=True)
class LogDrain:
    """Where an app's log goes. The URL often carries a credential."""

    url: str = field(repr=False)
    id: str = field(default_factory=new_id)
    token: str = field(default_factory=lambda: f"d.{new_id()}", repr=False)
    created_at: datetime = field(default_factory=now)


@dataclass(slots=True)
class Build:
    """A build and the stream its output goes to."""

    source_url: str
    version: str | None
    checksum: str | None
    output: OutputStream
    status: str = "pending"
    slug: Slug | None = None
    release: Release | None = None
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)
    buildpacks: list[dict[str, str]] = field(default_factory=list)
    fault: str = ""
