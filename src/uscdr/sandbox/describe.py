"""The sandbox's state as lines for people and variables for programs. Nothing here prints."""

from __future__ import annotations

import shlex
from datetime import datetime
from typing import TYPE_CHECKING, Any, Required
from urllib.parse import urlsplit

from typing_extensions import TypedDict

from uscdr.words import moment, plural, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from uscdr.sandbox.state import StateDir

Document = dict[str, Any]


class _UpObject(TypedDict):
    web_url: str
    ca_file: str
    manage: str
    patients: int


class _Dyno(TypedDict):
    name: str
    state: str


class _Addon(_Dyno):
    plan: str


class _Transfer(TypedDict):
    name: str
    succeeded: bool | None
    bytes: int
    started_at: str | None
    finished_at: str | None
    seconds: float | None


class _App(TypedDict):
    name: str
    web_url: str
    owner: str
    mails: int
    maintenance: bool
    release: int | None
    dynos: list[_Dyno]
    addons: list[_Addon]
    transfers: list[_Transfer]


class _StatusDocument(TypedDict):
    running: bool
    apps: list[_App]


class _Page(TypedDict):
    page: str
    status: int


class _DamagedTable(TypedDict):
    table: str
    rows_before: int
    rows_after: int
    rows_changed: int
    what: str


class DamageDone(TypedDict, total=False):
    """What the sandbox damaged: of a database its tables, of media the counts, else what was done and is seen."""

    how: Required[str]
    app: str
    damage: list[_DamagedTable]
    done: list[str]
    releases: list[int]
    seen: _Page | None
    cloud: str
    what: str
    assets_before: int
    assets_after: int
    assets_affected: int
    restorable: int
    failed: str


class _EnvObject(TypedDict):
    variables: dict[str, str]


class _FaultObject(TypedDict):
    id: str
    kind: str
    provider: str
    method: str
    path: str
    call: int
    count: int
    seen: int
    applied: int


def environment(contract: Document, state: StateDir) -> dict[str, str]:
    """Variables that point the official Heroku CLI and git at the sandbox, and keep both off the person's files.

    `$DIG` is a command: it asks the sandbox's first name server.
    """
    heroku = contract["heroku"]
    url = heroku["api_url"]
    return {
        "HEROKU_HOST": url,
        "HEROKU_DATA_HOST": str(urlsplit(url).hostname),
        "HEROKU_PARTICLEBOARD_URL": url,
        "HEROKU_STATUS_HOST": heroku["status_url"],
        "HEROKU_BUILDPACK_REGISTRY_URL": url,
        "HEROKU_API_KEY": heroku["token"],
        "HEROKU_GIT_HOST": heroku["git_host"],
        "HEROKU_SKIP_NEW_VERSION_CHECK": "true",
        "GIT_SSL_CAINFO": contract["ca_file"],
        "NODE_EXTRA_CA_CERTS": contract["ca_file"],
        "DISABLE_TELEMETRY": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "DIG": f"dig @{contract['dns']['server']} -p {contract['dns']['port']}",
        "CLOUDINARY_URL": _cloudinary_url(contract["cloudinary"]),
        "CLOUDINARY_HOME": str(state.home / "cloudinary"),
        "XDG_CACHE_HOME": str(state.home / "cache"),
        "GIT_CONFIG_GLOBAL": str(state.home / "gitconfig"),
    }


def _cloudinary_url(media: Document) -> str:
    """Credentials and both addresses; an empty `secure` makes delivery addresses plain HTTP."""
    host = urlsplit(media["delivery_url"]).netloc
    options = f"upload_prefix={media['api_url']}&secure=&cname={host}"
    return f"cloudinary://{media['api_key']}:{media['api_secret']}@{media['cloud']}?{options}"


def told(variables: dict[str, str]) -> _EnvObject:
    """What `env` prints with --json."""
    return {"variables": variables}


def exports(variables: dict[str, str]) -> list[str]:
    """Lines for a shell."""
    return [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]


def _app(app: _App) -> list[str]:
    maintenance = " (maintenance)" if app["maintenance"] else ""
    lines = [f"{app['name']}  {app['web_url']}  v{app['release']}{maintenance}"]
    lines += [f"  of {app['owner']}, {plural(app['mails'], 'mail')} sent"]
    lines += [f"  {one['name']}: {one['state']}" for one in app["dynos"]]
    lines += [f"  {one['name']}: {one['plan']}, {one['state']}" for one in app["addons"]]
    for one in app["transfers"]:
        state = {True: "succeeded", False: "failed", None: "running"}[one["succeeded"]]
        lines.append(f"  {one['name']}: {state}, {size(one['bytes'])}, {_at(one['finished_at'])}")
    return lines


def _at(text: str | None) -> str:
    """A time of the platform in words."""
    return moment(datetime.fromisoformat(text)) if text else "not finished"


_AFTER_UP = (
    "Next:  uscdr sandbox break db --how drop-table       # damage it; other kinds: uscdr sandbox break --help",
    "       uscdr --target sandbox recover db --dry-run   # the plan; without --dry-run the recovery",
    "       uscdr sandbox down                            # stop it and remove all its data",
)


def up(contract: Document, *, elsewhere: bool) -> list[str]:
    """What `up` shows: where the application is, and what to type now; not for a sandbox `elsewhere` (--state)."""
    words = f"{contract['heroku']['app']} is up at {contract['web_url']}"
    return [words, *(() if elsewhere else _AFTER_UP)]


def after_damage(part: str, how: str) -> str:
    """What to type after `break`: the recovery of that part, or the checks that find the damage."""
    in_place = " --in-place-if-possible" if how == "addon-gone" else ""
    command = "verify all" if part == "service" else f"recover {part}{in_place} --dry-run"
    return f"Next:  uscdr --target sandbox {command}"


def begun(contract: Document) -> _UpObject:
    """What `up` prints with --json."""
    return {
        "web_url": contract["web_url"],
        "ca_file": contract["ca_file"],
        "manage": contract["manage"],
        "patients": contract["patients"],
    }


def running(found: Document | None) -> _StatusDocument:
    """What `status` prints with --json; `found` is the answer of a sandbox that runs."""
    return {"running": found is not None, "apps": found["apps"] if found else []}


def status(document: _StatusDocument) -> list[str]:
    """What `status` shows."""
    if not document["running"]:
        return ["No sandbox is running. To start one: uscdr sandbox up"]
    return [line for app in document["apps"] for line in _app(app)]


def damage(document: DamageDone) -> list[str]:
    """What `break` shows."""
    if "cloud" in document:
        counts = f"files {document['assets_before']:,} -> {document['assets_after']:,}"
        counts += f", {document['assets_affected']:,} affected"
        heading = f"{document['cloud']}: {document['how']}"
        return [heading, f"  {document['what']}; {counts}, {document['restorable']:,} of them with a backup"]
    heading = f"{document['app']}: {document['how']}"
    if "done" in document:
        seen = document["seen"]
        page = [f"  {seen['page']} answers {seen['status']}"] if seen else []
        return [heading, *(f"  {one}" for one in document["done"]), *page]
    rows = [
        f"  {one['table']}: {one['what']}; rows {one['rows_before']:,} -> {one['rows_after']:,}, "
        f"{one['rows_changed']:,} affected"
        for one in document["damage"]
    ]
    return [heading, *rows]


def faults(rules: Sequence[_FaultObject]) -> list[str]:
    """What `fault list` shows."""
    if not rules:
        return ["no faults"]
    return [
        f"{one['id']}  {one['kind']}  {one['provider']} {one['method']} {one['path']}  "
        f"call {one['call']}, count {one['count'] or 'for ever'}, applied {one['applied']} of {one['seen']} seen"
        for one in rules
    ]


def audit(records: list[Document]) -> list[str]:
    """What `audit` shows."""
    if not records:
        return ["no write"]
    return [
        f"{one['time']}  {one['provider']:10} {one['method']:6} {one['path']}  {one['status'] or 'no answer'}"
        + (f"  fault {one['fault']}" if one["fault"] else "")
        for one in records
    ]
