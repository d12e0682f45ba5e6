"""One check of every kind with every field, and a scene that they look at: healthy, or damaged for each of them."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

from pydantic import SecretStr

from fake_media import STORED, Cloud, FakeMedia
from fake_surroundings import EXPECTED, HOST, NOW, Place
from fake_surroundings import world as surroundings
from fakes import FakeDatabase
from fakes import World as Provider
from uscdr.checks import registry
from uscdr.checks.baseline import Baseline
from uscdr.checks.check import Check
from uscdr.checks.context import CheckContext
from uscdr.errors import ProviderError
from uscdr.models.data_settings import CanaryColumn, Invariant, ReferenceColumn
from uscdr.models.heroku import AddOn
from uscdr.models.media import AssetKey, FileReferences, StoredReference
from uscdr.models.migrations import CodeMigrations
from uscdr.models.postgres import PasswordResult
from uscdr.models.probes import Certificate, WebAnswer

SECRET_KEY = "key-planted-secret"
SPECS: Mapping[str, Mapping[str, Any]] = {
    "page": {
        "kind": "http", "path": "/", "status": 200, "contains": ["root"], "lacks": ["Traceback"], "starts_with": "<",
        "headers": {"X-Frame-Options": "DENY"}, "min_bytes": 5, "max_bytes": 500, "within": "5s",
        "follow_link": 'src="(/app[^"]+)"', "why": "Django serves it.", "timeout": "20s",
    },
    "old-page": {"kind": "http", "path": "/old", "below": 500},
    "form": {"kind": "http", "path": "/form", "method": "POST", "json_body": {}, "status": 400,
             "json": {"name": {"filled": True}},
             "limit": {"times": 50, "within": "15m", "of": "logins"}},
    "upload": {
        "kind": "http", "path": "/upload", "method": "POST", "multipart_body": {}, "status": 400,
        "json": {"file": {"filled": True}},
    },
    "signed-in": {"kind": "http", "path": "/me", "auth": True, "json": {"role": "nurse"}},
    "first-item": {"kind": "http", "path": "/list", "follow": "/list/{id}/pdf", "id": "id", "starts_with": "%PDF-"},
    "pictures": {"kind": "http", "path": "/campaigns", "image": "results.*.picture"},
    "agree": {"kind": "agree", "path": "/count", "auth": True, "json": "patients", "query": "count patients_patient"},
    "sql": {
        "kind": "sql", "query": "count patients_patient", "equals": 60, "minimum": 40, "maximum": 1000, "within": "5s",
        "shrink": 0.05,
    },
    "rows": {"kind": "rows", "tables": ["patients_patient"], "minimum": {"django_migrations": 1}, "shrink": 0.01},
    "freshness": {"kind": "freshness", "columns": ["patients_patient.at"], "max_age": "2h"},
    "invariants": {"kind": "invariants"},
    "content": {"kind": "content", "tables": ["patients_patient"], "may_grow": True},
    "sequences": {"kind": "sequences"},
    "foreign-keys": {"kind": "foreign_keys", "minimum": 3},
    "migrations": {"kind": "migrations"},
    "decrypt": {"kind": "decrypt", "sample": 10, "unencrypted": 1},
    "passwords": {"kind": "passwords", "published": ["usc"], "query": "SELECT 1, 2"},
    "dynos": {"kind": "dynos", "only": ["web"]},
    "release": {"kind": "release"},
    "addons": {"kind": "addons", "services": ["heroku-redis"]},
    "config": {
        "kind": "config", "must": {"DEBUG": [""]}, "published": {"SECRET_KEY": [sha256(b"known").hexdigest()]},
        "same": {"CLOUDINARY_CLOUD_NAME": "$cloud"},
    },
    "log": {"kind": "log", "lines": 100, "most": 1, "within": "30m"},
    "schedule": {"kind": "schedule", "newest": "20h"},
    "monitoring": {"kind": "monitoring", "services": ["papertrail"], "variables": ["SENTRY_DSN"]},
    "media": {"kind": "media", "sample": 5, "bytes": 2},
    "mail": {
        "kind": "mail", "client_id": "GMAIL_CLIENT_ID", "client_secret": "GMAIL_CLIENT_SECRET",
        "refresh_token": "GMAIL_REFRESH_TOKEN",
    },
    "queue": {"kind": "queue", "variable": "REDIS_URL", "first": "BROKER", "queues": ["celery"], "most": 10},
    "domain": {"kind": "domain"},
    "tls": {"kind": "tls", "hostnames": [HOST], "days": 20},
    "maintenance-page": {"kind": "maintenance_page"},
}  # fmt: skip
NOTICES = "https://status.clinic.example/maintenance.html"
PAGE = b'<div id="root"></div><script src="/app.js"></script>'
HEALTHY: Mapping[str, WebAnswer] = {
    "/": WebAnswer(status=200, seconds=0.5, body=PAGE, headers={"x-frame-options": "DENY"}),
    "/app.js": WebAnswer(status=200, body=b"go()"),
    "/old": WebAnswer(status=404),
    "/form": WebAnswer(status=400, body=b'{"name": ["required"]}'),
    "/upload": WebAnswer(status=400, body=b'{"file": ["required"]}'),
    "/me": WebAnswer(status=200, body=b'{"role": "nurse"}'),
    "/list": WebAnswer(status=200, body=b'[{"id": 7}]'),
    "/list/7/pdf": WebAnswer(status=200, body=b"%PDF-1.7"),
    "/campaigns": WebAnswer(status=200, body=b'{"results": [{"picture": "/a.png"}]}'),
    "/a.png": WebAnswer(status=200, body=b"\x89PNG"),
    "/count": WebAnswer(status=200, body=b'{"patients": 50}'),
    NOTICES: WebAnswer(status=200, content_type="text/html", body=b"<h1>Maintenance</h1>"),
}
DAMAGED: Mapping[str, WebAnswer] = {
    "/app.js": WebAnswer(status=200, body=b"<html>"),
    "/old": WebAnswer(status=500),
    "/form": WebAnswer(status=400, body=b"{}"),
    "/upload": WebAnswer(status=500, body=b'{"file": ["required"]}'),
    "/me": WebAnswer(status=200, body=b'{"role": "guest"}'),
    "/list/7/pdf": WebAnswer(status=503),
    "/a.png": WebAnswer(status=404, body=b"gone"),
    "/count": WebAnswer(status=200, body=b'{"patients": 3}'),
    NOTICES: WebAnswer(status=404),
}


def checks() -> dict[str, Any]:
    """As scenarios.yaml has them."""
    return {name: registry.SPECS[spec["kind"]].model_validate(spec) for name, spec in SPECS.items()}


def named(name: str) -> Check:
    return Check(name, checks()[name], SPECS[name]["kind"])


class Site:
    """The application's pages."""

    def __init__(self, answers: Mapping[str, WebAnswer]) -> None:
        self.answers = dict(answers)
        self.asked: list[str] = []

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: SecretStr | None = None,
        json_body: Mapping[str, object] | None = None,
        empty_form: bool = False,
        once: bool = False,
    ) -> WebAnswer:
        self.asked.append(path)
        return self.answers[path]

    def fetch(self, address: str) -> WebAnswer:
        return self.answers[address]

    def sign_in(self, email: str, password: SecretStr) -> SecretStr:
        raise AssertionError("not asked for")


class Rows(FakeDatabase):
    """A database whose age stands still."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene.provider)
        self._scene = scene

    def newest(self, columns: Sequence[str]) -> Mapping[str, str | None]:
        return {one: (NOW - self._scene.age).isoformat() for one in columns}

    def published_passwords(
        self, query: str, candidates: Sequence[SecretStr], *, seconds: float = 20.0
    ) -> PasswordResult:
        return PasswordResult(tested=2, matching=self._scene.weak)

    def file_references(self, wanted: Sequence[ReferenceColumn]) -> FileReferences:
        found = StoredReference(table="files", column="file", key="1", value="a.png", created_at=STORED, bytes=None)
        return FileReferences(found=(found,))


@dataclass
class Scene:
    """All that checks look at."""

    place: Place = field(default_factory=Place)
    provider: Provider = field(default_factory=Provider)
    cloud: Cloud = field(default_factory=lambda: Cloud("clinic", Provider()))
    site: Site = field(default_factory=lambda: Site(HEALTHY))
    age: timedelta = timedelta(hours=1)
    weak: tuple[str, ...] = ()
    code: CodeMigrations | None = None
    token: SecretStr | None = field(default_factory=lambda: SecretStr("token"))
    silent: bool = False
    baseline: Baseline | None = None

    def __post_init__(self) -> None:
        self.cloud.put(AssetKey(resource_type="image", public_id="media/a"), b"a picture")
        self.place.log.append(f"{NOW.isoformat()} app[web.1]: fine")
        self.place.vars["SENTRY_DSN"] = "https://sentry.example"
        self.place.vars["MAINTENANCE_PAGE_URL"] = NOTICES
        self.provider.key = SECRET_KEY
        self.code = CodeMigrations(migrations=tuple(self.provider.live.applied))

    def damage(self) -> None:
        """Something for every check to find."""
        place, live = self.place, self.provider.live
        self.site.answers |= DAMAGED
        for table in ("django_migrations", "django_session"):
            del live.tables[table]
        for key in list(live.tables["patients_patient"])[:20]:
            del live.tables["patients_patient"][key]
        live.applied.pop()
        self.age, self.weak, self.provider.key = timedelta(days=3), ("7",), "another"
        self.cloud.delete(next(iter(self.cloud.assets)))
        place.maintenance, place.daily, place.bound, place.mail_reason = True, [], [], "invalid_grant"
        place.owned = [AddOn(id="1", name="db-1", state="provisioned", plan="heroku-postgresql:essential-0")]
        place.vars |= {"DEBUG": "True", "SECRET_KEY": "known", "CLOUDINARY_CLOUD_NAME": "clinic"}
        del place.vars["SENTRY_DSN"]
        place.running.pop(0)
        place.waiting = {"celery": 999}
        place.log += [f"{NOW.isoformat()} heroku[router]: at=error code=H12"] * 3
        place.certificates[HOST] = Certificate(hostname=HOST, expires_at=NOW + timedelta(days=2))

    def world(self) -> CheckContext:
        """What checks are given."""
        expected = replace(
            EXPECTED,
            tables=("patients_patient",),
            invariants=(Invariant(name="patients are there", sql="count patients_patient", minimum=50),),
            key="SECRET_KEY",
            canaries=(CanaryColumn(table="patients_patient", encrypted="name_enc", plain="name"),),
        )
        seen = surroundings(self.place, media=FakeMedia(self.cloud))
        seen = replace(
            seen, expected=expected, website=lambda: self.site, token=lambda: self.token, database=lambda: Rows(self),
            code_migrations=lambda: self.code, baseline=self.baseline,
        )  # fmt: skip
        return replace(seen, website=_hang, database=_nobody, media=_nobody) if self.silent else seen


def _nobody() -> Any:
    raise ProviderError("Nobody answers.", provider="fake", retryable=True)


def _hang() -> Any:
    threading.Event().wait(5)
    return _nobody()
