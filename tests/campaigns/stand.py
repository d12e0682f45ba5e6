"""One sandbox with everything a case needs: damage, phrase, audit, the truth, and the way back to health."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from . import oracle
from .canaries import Canaries, named
from .product import Ended, Product, end_all, environment

APP = "usc-pis"
WANTED_FORMATION = {"web": 1, "worker": 1, "beat": 1}
DAMAGES = ("drop-table", "delete-rows", "truncate", "scramble-text", "wrong-data-load", "unreachable")
_PHRASE_KEEPS = 1500.0  # seconds; the hours in it tick on
_SETTLES = 20.0  # seconds
_LOOK = 0.05
_ASKED = re.compile("--confirm “([^”]+)”")
_PATIENTS = "SELECT email FROM authentication_user UNION SELECT phone_number FROM patients_patient"


@dataclass
class Stand:
    """A running sandbox below `root`; each case gets a state directory that links to it."""

    root: Path
    app: str = APP
    formation: dict[str, int] = field(default_factory=lambda: dict(WANTED_FORMATION))
    truth: oracle.Content = field(default_factory=lambda: oracle.Content({}, frozenset()))
    canaries: Canaries = field(default_factory=lambda: Canaries({}))
    cases: int = 0
    _phrases: dict[tuple[str, int], tuple[float, str]] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """The state directory that the sandbox itself lives in."""
        return self.root / "home"

    @property
    def contract(self) -> dict[str, Any]:
        """How the sandbox is reached."""
        document: dict[str, Any] = json.loads((self.home / "sandbox" / "sandbox.json").read_bytes())
        return document

    def tool(self) -> Product:
        """uscdr for the harness's own errands."""
        return Product(self.home, environment())

    def case(self, name: str) -> Product:
        """uscdr with a new, empty state directory beside the same sandbox."""
        self.cases += 1
        state = self.root / f"{self.cases:04d}-{name}"[:60]
        state.mkdir()
        (state / "sandbox").symlink_to(self.home / "sandbox")
        return Product(state, environment())

    def done_with(self, product: Product) -> list[str]:
        """What a finished case left that it should not; its directory goes when there is nothing."""
        left = self.canaries.in_files(product.state)
        for stream in product.streams():
            left += [f"std{stream.suffix[1:]}: {found}" for found in self.canaries.found(stream.read_bytes())]
            stream.unlink()
        if not left:
            shutil.rmtree(product.state)
        return left

    def errand(self, *arguments: str) -> str:
        """A command of the harness that must work."""
        tool = self.tool()
        done = tool.run(*arguments)
        for stream in tool.streams():
            stream.unlink()
        if done.code != 0:
            raise RuntimeError(f"{' '.join(arguments)} ended with {done.code}: {done.text[-800:]}")
        return done.out

    def api(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The platform's API, asked directly."""
        heroku = self.contract["heroku"]
        request = urllib.request.Request(
            heroku["api_url"] + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": "Bearer " + heroku["token"],
                "Accept": "application/vnd.heroku+json; version=3",
                "Content-Type": "application/json",
            },
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def config(self) -> dict[str, str]:
        """The app's config vars."""
        found: dict[str, str] = self.api("GET", f"/apps/{self.app}/config-vars")
        return found

    def transfers(self) -> list[dict[str, Any]]:
        """Every backup and restore, by number."""
        found: list[dict[str, Any]] = self.api("GET", f"/client/v11/apps/{self.app}/transfers")
        return sorted(found, key=lambda one: int(one["num"]))

    def learn(self) -> None:
        """Read the truth from b001 itself, and what must never be seen."""
        first = self.transfers()[0]
        self.truth = oracle.stored(self.home / "sandbox" / "backups" / f"{first['uuid']}.dump")
        self.canaries = Canaries(self._secrets())

    def _secrets(self) -> dict[str, str]:
        config = self.config()
        public = ("URL", "HOSTS", "DEBUG", "USE_CLOUDINARY", "CLOUD_NAME", "EMAIL", "CLIENT_ID")
        secrets = {name: value for name, value in config.items() if not name.endswith(public) or name == "DATABASE_URL"}
        secrets["DATABASE_URL password"] = oracle.connection(config["DATABASE_URL"])["PGPASSWORD"]
        secrets["API token"] = self.contract["heroku"]["token"]
        account = self.contract.get("check_account") or {}
        secrets |= {f"check account {name}": account[name] for name in ("password", "token") if account.get(name)}
        return {**secrets, **self._patients(config["DATABASE_URL"])}

    def _patients(self, url: str) -> dict[str, str]:
        if "patients_patient" not in self.truth.tables:
            return {}
        known = (self.contract.get("check_account") or {}).get("email")
        with psycopg.connect(url) as connection:
            found = [str(row[0]) for row in connection.execute(_PATIENTS) if row[0] and row[0] != known]
        return named(found, "patient")

    def database(self) -> str:
        """The live database's URL."""
        return self.config()["DATABASE_URL"]

    def audit(self) -> list[dict[str, Any]]:
        """Every request the providers received."""
        text = (self.home / "sandbox" / "audit.jsonl").read_text()
        whole = text[: text.rfind("\n") + 1]  # the last line may be under way
        return [json.loads(line) for line in whole.splitlines() if line]

    def mark(self) -> int:
        """Where the audit stands."""
        return len(self.audit())

    def writes(self, since: int) -> list[dict[str, Any]]:
        """The writes after a mark."""
        return [one for one in self.audit()[since:] if one["write"]]

    def damage(self, how: str) -> list[str]:
        """Break the database; a damage that the truth does not show would prove nothing."""
        self.errand("sandbox", "break", "db", "--how", how, "--app", self.app)
        if how == "unreachable" or self.differences():
            return []
        return [f"the damage {how} cannot be seen"]

    def differences(self) -> list[str]:
        """How the live database differs from b001."""
        return oracle.live(self.database()).differences(self.truth)

    def phrase(self, how: str) -> str:
        """What a dry run says must be typed; the same damage to as many rows has the same phrase for an hour."""
        key = (how, 0 if how == "unreachable" else oracle.live(self.database()).rows)
        made, phrase = self._phrases.get(key, (0.0, ""))
        if phrase and how != "delete-rows" and time.monotonic() - made < _PHRASE_KEEPS:
            return phrase
        product = self.case("phrase")
        phrase = phrase_of(product.run("--target", "sandbox", "recover", "db", "--backup", "b001", "--dry-run"))
        self.done_with(product)
        self._phrases[key] = (time.monotonic(), phrase)
        return phrase

    def complaints(self) -> list[str]:
        """What is not as it was before the disaster. Waits for what settles by itself."""
        until = time.monotonic() + _SETTLES
        while True:
            found = [*self.platform(), *self.differences(), *self.left_by_processes()]
            if not found or time.monotonic() > until:
                return found
            time.sleep(_LOOK)

    def platform(self) -> list[str]:
        """Formation, maintenance mode and dynos that are not as they should be."""
        formation = {one["type"]: one["quantity"] for one in self.api("GET", f"/apps/{self.app}/formation")}
        found = [] if formation == self.formation else [f"formation is {formation}"]
        if self.api("GET", f"/apps/{self.app}")["maintenance"]:
            found.append("maintenance mode is on")
        running = sorted(one["name"] for one in self.api("GET", f"/apps/{self.app}/dynos") if one["state"] == "up")
        if len(running) != sum(self.formation.values()):
            found.append(f"dynos up: {running}")
        return found

    def left_by_processes(self) -> list[str]:
        """Scratch files, and processes of a scratch server, of any case."""
        scratch = [str(path.relative_to(self.root)) for path in self.root.glob("*/scratch/*")]
        mark = str(self.root).encode()
        strays = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes()
            except OSError:
                continue
            if mark in line and b"/scratch/" in line:
                strays.append(f"stray process {path.parent.name}: {line.split(bytes(1))[0].decode()}")
        return [*(f"left: {path}" for path in scratch), *strays]

    def phrase_from(self, dry_run: Ended) -> str:
        """The phrase in a dry run's plan."""
        return phrase_of(dry_run)

    def asked_for(self, ended: Ended) -> str:
        """The phrase that a refusal names."""
        found = _ASKED.search(ended.err)
        return found[1] if found else ""

    def heal(self) -> None:
        """Back to health by the shortest way, for the next case; not a part of any verdict."""
        self.errand("sandbox", "fault", "clear")
        for one in self.transfers():
            if one["finished_at"] is None:
                self.api("POST", f"/client/v11/apps/{self.app}/transfers/{one['uuid']}/actions/cancel")
        self.api("PATCH", f"/apps/{self.app}", {"maintenance": False})
        updates = [{"type": kind, "quantity": number} for kind, number in self.formation.items()]
        self.api("PATCH", f"/apps/{self.app}/formation", {"updates": updates})
        product = self.case("heal")
        asked = product.run("--target", "sandbox", "recover", "db", "--backup", "b001", "--dry-run")
        product.run("--target", "sandbox", "recover", "db", "--backup", "b001", "--confirm", phrase_of(asked))
        self.done_with(product)


def phrase_of(dry_run: Ended) -> str:
    """The phrase in a dry run's plan. Raises RuntimeError when there is none."""
    for line in dry_run.out.splitlines():
        if line.startswith("phrase "):
            return line.removeprefix("phrase ").strip()
    raise RuntimeError("the dry run shows no phrase: " + dry_run.text[-600:])


_OPEN: list[Stand] = []


def take_down(stand: Stand) -> None:
    """Stop the sandbox and remove all that was kept beside it."""
    stand.tool().run("sandbox", "down")
    shutil.rmtree(stand.root, ignore_errors=True)


def take_all_down() -> None:
    """For a campaign that is cut off itself: nothing is left behind."""
    end_all()
    for stand in tuple(_OPEN):
        take_down(stand)


@contextmanager
def standing(*options: str, app: str = APP, formation: dict[str, int] | None = None) -> Iterator[Stand]:
    """A sandbox that is gone afterwards, with all that was kept beside it."""
    root = Path(tempfile.mkdtemp(prefix="uscdr-campaign-"))
    stand = Stand(root, app=app, formation=formation or dict(WANTED_FORMATION))
    stand.home.mkdir()
    _OPEN.append(stand)
    try:
        stand.errand("sandbox", "up", "--plain", "--keep", "1000", *options)
        stand.learn()
        stand.heal()  # what was written since b001 would be a difference of every case
        yield stand
    finally:
        take_down(stand)
        _OPEN.remove(stand)
