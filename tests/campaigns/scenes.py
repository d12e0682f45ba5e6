"""Disasters beside the database's: how each is made, what must be typed, what must hold afterwards, what counts twice.

Truths come from the sandbox's own books and from other programs, never from a line of the product.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import tempfile
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dns.message
import dns.query

from uscdr.sandbox import client
from uscdr.sandbox.state import StateDir

from . import oracle
from .stand import Stand, phrase_of

OK, CREATED, CRASHED = 200, 201, 503
BY_RELEASE = "reports_reporttemplate"  # the clinic's release phase writes its rows again
_SETTLES = 30.0  # seconds
_LOOK = 0.1
_PHRASE_KEEPS = 1500.0
_TIMEOUT = 10.0


class Scene(ABC):
    """One scenario on one stand, again and again."""

    name: str
    how: str

    def __init__(self, stand: Stand) -> None:
        self.stand = stand
        self.env: Mapping[str, str] = {}
        """What the product needs beside the stand's own environment."""

    @property
    @abstractmethod
    def command(self) -> tuple[str, ...]:
        """The recovery, without its confirmation."""

    @abstractmethod
    def damage(self) -> list[str]:
        """Do it; complaints when it cannot be seen."""

    @abstractmethod
    def phrase(self) -> str:
        """What must be typed now."""

    @abstractmethod
    def wrong(self) -> list[str]:
        """What is not as it was before the disaster."""

    @abstractmethod
    def mend(self) -> None:
        """Back to health after a wrong case, if the next damage does not need it so; not a part of any verdict."""

    @abstractmethod
    def doubles(self, writes: list[dict[str, Any]]) -> list[str]:
        """Effects beyond those that were wanted, of one case from damage to end."""

    def asked(self) -> str:
        """What a dry run says must be typed. Raises RuntimeError when it says nothing."""
        product = self.stand.case("phrase")
        said = phrase_of(product.run(*self.command, "--dry-run", env=self.env))
        self.stand.done_with(product)
        return said

    def complaints(self) -> list[str]:
        """`wrong`, when it does not settle by itself."""
        until = time.monotonic() + _SETTLES
        while True:
            found = self.wrong()
            if not found or time.monotonic() > until:
                return found
            time.sleep(_LOOK)

    def control(self, method: str, path: str) -> Any:
        """The sandbox's own books."""
        return client.ask(StateDir(self.stand.home / "sandbox"), method, path)

    def same_data(self, truth: oracle.Content) -> list[str]:
        """Differences of the live database, but for what a release phase writes."""
        found = oracle.live(self.stand.database()).differences(truth)
        return [one for one in found if not one.startswith(BY_RELEASE)]


class AppScene(Scene):
    """A bad release: one rollback, no build."""

    name, how = "app", "bad-release"

    def __init__(self, stand: Stand) -> None:
        super().__init__(stand)
        self._truth = oracle.live(stand.database())
        self._good = 0

    @property
    def command(self) -> tuple[str, ...]:
        """Whatever is judged right."""
        return ("--target", "sandbox", "recover", "app")

    def damage(self) -> list[str]:
        """Deploy code whose web process crashes."""
        self._good = self._releases()[0]["version"]
        self.stand.errand("sandbox", "break", "app", "--how", self.how, "--app", self.stand.app)
        return [] if self._page() == CRASHED else ["the bad release cannot be seen"]

    def phrase(self) -> str:
        """Put together from what the platform says."""
        return f"{self.stand.app} roll back to v{self._good}"

    def wrong(self) -> list[str]:
        """Page, release, maintenance mode, dynos, rows."""
        newest, page = self._releases()[0], self._page()
        found = [] if page == OK else [f"the first page answers {page}"]
        if newest["description"] != f"Rollback to v{self._good}":
            found.append(f"v{newest['version']} is “{newest['description']}”")
        return [*found, *self.stand.platform(), *self.same_data(self._truth), *self.stand.left_by_processes()]

    def doubles(self, writes: list[dict[str, Any]]) -> list[str]:
        """One rollback; a build would be one too many."""
        return [*more(writes, "POST", "/apps/*/releases", 1), *more(writes, "POST", "/apps/*/builds", 0)]

    def mend(self) -> None:
        """Roll back by hand."""
        path = f"/apps/{self.stand.app}"
        self.stand.api("PATCH", path, {"maintenance": False})
        good = next(one for one in self._releases() if one["version"] == self._good)
        self.stand.api("POST", f"{path}/releases", {"release": good["id"]})
        until = time.monotonic() + _SETTLES
        while self._page() != OK and time.monotonic() < until:
            time.sleep(_LOOK)

    def _releases(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.stand.api("GET", f"/apps/{self.stand.app}/releases")
        return sorted(found, key=lambda one: -int(one["version"]))

    def _page(self) -> int:
        return fetch(self.stand.contract["web_url"])[0]


class MediaScene(Scene):
    """Two files in three are deleted, some without a backup at the service: those come from a kit.

    A file that no row refers to any more is nobody's: the stand's own healing may have left such ones.
    """

    name, how = "media", "half-backed-up"

    def __init__(self, stand: Stand, kit: str, env: Mapping[str, str]) -> None:
        super().__init__(stand)
        self.env, self._kit, self._mark = env, kit, 0
        rows = oracle.text(stand.database())
        self._truth = [one for one in self.control("GET", "media/truth") if one["public_id"] in rows]
        self._rows = oracle.live(stand.database())

    @property
    def command(self) -> tuple[str, ...]:
        """The service's backup first, then the kit."""
        return ("--target", "sandbox", "recover", "media", "--kit", self._kit)

    def damage(self) -> list[str]:
        """Delete, and let the service lose half of its backup."""
        self.stand.errand("sandbox", "break", "media", "--how", self.how)
        self._mark = len(self.control("GET", "media/effects"))
        return [] if self._lost() else ["the lost files cannot be seen"]

    def phrase(self) -> str:
        """Of a dry run: it counts files."""
        return self.asked()

    def wrong(self) -> list[str]:
        """Every byte, and every row."""
        lost = self._lost()
        found = [f"{lost} of {len(self._truth)} files are not as they were"] if lost else []
        return [*found, *self.same_data(self._rows), *self.stand.left_by_processes()]

    def doubles(self, writes: list[dict[str, Any]]) -> list[str]:
        """No file put back by two writes that took effect."""
        effects = self.control("GET", "media/effects")[self._mark :]
        times = Counter((one["resource_type"], one["public_id"]) for one in effects)
        twice = sum(number > 1 for number in times.values())
        return [f"{twice} files were put back more than once"] if twice else []

    def mend(self) -> None:
        """The next recovery brings back what this one left out."""

    def _lost(self) -> int:
        media = self.stand.contract["cloudinary"]
        return sum(
            hashlib.md5(fetch(_address(media, one))[1], usedforsecurity=False).hexdigest() != one["md5"]
            for one in self._truth
        )


class InfraScene(Scene):
    """Application, database and backups are gone: a new application from a kit, the hostname moved."""

    name, how = "infra", "app-gone"
    new = "usc-pis-recovery"
    once: tuple[tuple[str, int], ...] = (
        ("/apps", 1), (f"/apps/{new}/addons", 2), (f"/apps/{new}/builds", 1), (f"/apps/{new}/domains", 1),
        ("/client/v11/databases/*/backups", 1), ("/client/v11/databases/*/transfer-schedules", 1),
    )  # fmt: skip

    def __init__(self, stand: Stand, kit: str, env: Mapping[str, str]) -> None:
        super().__init__(stand)
        self.env, self._kit = env, kit
        self._truth = oracle.live(stand.database())
        self._said, self._at = "", 0.0

    @property
    def command(self) -> tuple[str, ...]:
        """From the kit, which is all that is left."""
        return ("--target", "sandbox", "recover", "infra", "--kit", self._kit)

    def damage(self) -> list[str]:
        """The application that runs now: the old one the first time, afterwards the one that took its place."""
        if self.stand.api("GET", "/apps"):
            self.stand.errand("sandbox", "break", "infra", "--how", self.how, "--app", self.stand.app)
        self.stand.app = self.new
        return [] if not self.stand.api("GET", "/apps") else ["the application is still there"]

    def phrase(self) -> str:
        """Of a dry run; it tells of the kit alone, and its hours tick on."""
        if not self._said or time.monotonic() - self._at > _PHRASE_KEEPS:
            self._said, self._at = self.asked(), time.monotonic()
        return self._said

    def wrong(self) -> list[str]:
        """One application with its dynos and rows, and a name that leads to it."""
        apps = [one["name"] for one in self.stand.api("GET", "/apps")]
        if apps != [self.new]:
            return [f"applications: {apps}"]
        return [
            *self.stand.platform(),
            *self.same_data(self._truth),
            *self._hostname(),
            *self.stand.left_by_processes(),
        ]

    def doubles(self, writes: list[dict[str, Any]]) -> list[str]:
        """Nothing was made twice; config is set in one call, and once more for what was silenced."""
        updates = [one for one in writes if one["provider"] == "dns" and one["status"] == OK]
        found = [f"{len(updates)} changes of DNS"] if len(updates) > 1 else []
        for path, wanted in self.once:
            found += more(writes, "POST", path, wanted)
        return found

    def mend(self) -> None:
        """The next damage takes whatever there is."""

    def _hostname(self) -> list[str]:
        contract = self.stand.contract["dns"]
        domains = self.stand.api("GET", f"/apps/{self.new}/domains")
        wanted = next((one["cname"] for one in domains if one["hostname"] == contract["hostname"]), None)
        asked = dns.message.make_query(contract["hostname"], "CNAME")
        found = []
        for server in contract["name_servers"]:
            host, _, port = server.rpartition(":")
            answer = dns.query.udp(asked, host, timeout=_TIMEOUT, port=int(port)).answer
            said = str(answer[0][0]).rstrip(".") if answer else "nothing"
            if said != wanted:
                found.append(f"{server} says {said}, not {wanted}")
        return found


def more(writes: Iterable[dict[str, Any]], method: str, path: str, wanted: int) -> list[str]:
    """A complaint when that call took effect more often than wanted."""
    times = sum(one["method"] == method and fnmatchcase(one["path"], path) and _effect(one) for one in writes)
    return [f"{times} times {method} {path}"] if times > wanted else []


def _effect(write: dict[str, Any]) -> bool:
    return write["status"] in (OK, CREATED)


def fetch(url: str) -> tuple[int, bytes]:
    """Status and body, without a proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_TIMEOUT) as answer:
            return int(answer.status), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def _address(media: Mapping[str, str], one: Mapping[str, Any]) -> str:
    suffix = ".jpg" if one["resource_type"] == "image" else ""
    path = f"/{media['cloud']}/{one['resource_type']}/upload/v{int(time.time())}/{one['public_id']}{suffix}"
    return media["delivery_url"] + quote(path)


def build_kit(stand: Stand) -> tuple[str, Mapping[str, str]]:
    """A kit of the data as they are, and the environment in which it can be opened."""
    pyrage = importlib.import_module("pyrage")  # has no types
    pair = pyrage.x25519.Identity.generate()
    own = Path(tempfile.mkdtemp(prefix="kit-", dir=stand.root))  # several scenes share a stand
    path, place = own / "identity.txt", own / "kits"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{pair}\n")
    told = stand.errand(
        "--target", "sandbox", "kit", "build", "--capture", "--to", str(place), "--recipient",
        str(pair.to_public()), "--json",
    )  # fmt: skip
    return f"{place}:{json.loads(told)['kit']}", {"USCDR_AGE_IDENTITY": str(path)}
