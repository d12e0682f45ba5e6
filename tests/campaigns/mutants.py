"""Strangers' files and command lines: each ends with words and a documented code, soon, and changes nothing."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from typer.core import TyperGroup

from uscdr.cli.app import program
from uscdr.kit.manifest import KITS, MANIFEST

from . import mutants_shapes as shapes
from . import mutations
from .mutants_host import HUNG
from .mutants_material import APP, RUN, Material, make
from .product import Ended, environment
from .serving import served
from .tally import Tally

SOON = 10.0
"""Seconds that a command may take on an idle machine."""
PHRASE = ("--confirm", "x")
_NO_RUN = "no unfinished run"
_LEFT_OUT = frozenset({"watch", "drill", "sandbox"})
"""Commands that take long by their nature, or start something."""


_SOLD = re.compile(r"/addon-services/([^/]+)/plans")
_READ_BY_POST = ("/actions/addon-attachments/resolve", "/log-sessions")
"""What the platform has looked at with a POST."""


@dataclass
class Case:
    """One command on one mutated thing. `unlike`: a text that it must not say; `refused`: whether 0 is wrong."""

    name: str
    arguments: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    unlike: str = ""
    refused: bool = False
    keeps: Path | None = None
    """A directory that it must leave as it is."""


Maker = Callable[[Material, Path, random.Random], Case]


def run(tally: Tally, *, count: int, seed: int) -> None:
    """As many cases as asked for, of every kind in turn."""
    chance = random.Random(seed)
    makers: tuple[Maker, ...] = (_of_yaml, _of_journal, _of_kit, _of_state, _of_yaml, _of_journal, _of_kit, _of_line)
    with tempfile.TemporaryDirectory(prefix="mutants-") as place, _platform() as platform, _host() as host:
        material = make(Path(place), platform.address)
        for number in range(count):
            if not tally.goes_on():
                break
            work = Path(place) / "case"
            work.mkdir(mode=0o700)
            case = makers[number % len(makers)](material, work, chance)
            tally.case(f"{number} {case.name}", wrong=_judged(case, host, platform, work))
            shutil.rmtree(work)


def _judged(case: Case, host: Host, platform: Platform, work: Path) -> list[str]:
    before, kept = len(platform.writes), _digest(case.keeps)
    ended, seconds = host.run(case, work)
    if seconds > SOON and ended.code != HUNG:
        seconds = min(seconds, host.run(case, work)[1])  # what its children waited for a processor is not known
    wrong = ended.complaints()
    shown = " ".join(case.arguments)[:300]
    if seconds > SOON:
        wrong.append(f"took {seconds:.1f} s")
    if platform.writes[before:]:
        wrong.append(f"sent {platform.writes[before:]}")
    if case.refused and ended.code == 0:
        wrong.append("was taken: " + ended.last())
    if case.unlike and case.unlike in ended.text:
        wrong.append(f"said “{case.unlike}”")
    if _digest(case.keeps) != kept:
        wrong.append("what it reads was changed")
    return [f"{what} [uscdr {shown}]" for what in wrong]


def _digest(place: Path | None) -> str:
    """Of names, kinds and contents."""
    found = hashlib.sha256()
    for path in sorted(place.rglob("*")) if place is not None else ():
        found.update(f"{path} {path.lstat().st_mode}".encode())
        if path.is_file() and not path.is_symlink():
            found.update(path.read_bytes())
    return found.hexdigest()


def _config(material: Material, work: Path) -> tuple[str, ...]:
    path = work / "scenarios.yaml"
    path.write_text(material.config)
    path.chmod(0o600)
    return ("--config", str(path), "--target", "real")


def _of_yaml(material: Material, work: Path, chance: random.Random) -> Case:
    """A configuration: bytes, mistakes of people, values."""
    at = _config(material, work)
    path = Path(at[1])
    match chance.randrange(4):
        case 0:
            name, data = chance.choice(mutations.by_hand())
        case 1:
            ((name, data),) = mutations.at_random(1, chance)
        case 2:
            name, data = "bytes", shapes.of_bytes(material.config.encode(), chance)
        case _:
            name, data = "values", shapes.as_json(shapes.of_document(_plain(material.config), chance), chance)
    path.write_bytes(data)
    commands: tuple[tuple[str, ...], ...] = (
        ("recover", "db", *PHRASE), ("recover", "db", "--dry-run"), ("runbook",), ("kit", "list"), ("backup", "list"),
        ("recover", "infra", "--dry-run"), ("recover", "app", *PHRASE), ("verify", "--list"),
    )  # fmt: skip
    command = chance.choice(commands)
    return Case(f"configuration, {name}", (*at, *command), refused=command[-2:] == PHRASE)


def _plain(text: str) -> Any:
    from uscdr.scenarios.yaml_tree import parse

    return parse(Path("scenarios.yaml"), text.encode()).value


def _of_journal(material: Material, work: Path, chance: random.Random) -> Case:
    """A journal: bytes, kinds of files, and other contents in a right chain."""
    state = _state(material, work)
    path = state / "runs" / RUN / "journal.jsonl"
    whole = path.read_bytes()
    match chance.randrange(5):
        case 0 | 1:
            name, data = "bytes", shapes.of_bytes(whole, chance)
            path.write_bytes(data)
        case 2:
            name, data = "kind of file", b""
            shapes.of_kind(path, chance)
        case _:
            name, data = "right chain", shapes.rechained(_records(whole, chance))
            path.write_bytes(data)
    commands = (
        ("runs", "list"), ("runs", "list", "--json"), ("runs", "show", RUN), ("runs", "show", RUN, "--json"),
        ("runs", "report", RUN), ("runs", "report", RUN, "--json"), ("runs", "resume"), ("runs", "resume", RUN),
        ("runs", "resume", RUN, *PHRASE), ("recover", "db", *PHRASE), ("recover", "db", "--dry-run"),
        ("dns", "rollback", "--dry-run"),
    )  # fmt: skip
    command = chance.choice(commands)
    lost = name == "right chain" or not os.path.lexists(path)
    case = Case(f"journal, {name}", (*_config(material, work), *command), {"USCDR_STATE_DIR": str(state)})
    case.unlike = "" if lost else _NO_RUN
    case.refused = command[-2:] == PHRASE
    if command[1] != "resume" and name != "kind of file":
        case.keeps = path.parent
    return case


def _records(whole: bytes, chance: random.Random) -> list[Any]:
    records = [json.loads(line) for line in whole.splitlines()]
    at = chance.randrange(len(records))
    if chance.random() < 0.1:
        chance.shuffle(records)
    elif chance.random() < 0.1:
        del records[at]
    else:
        records[at] = shapes.of_document(records[at], chance)
    if chance.random() < 0.7:
        for number, record in enumerate(records):
            if isinstance(record, dict):
                record["seq"] = number
    return [one if isinstance(one, dict) else {"event": one} for one in records]


def _state(material: Material, work: Path) -> Path:
    state = work / "state"
    shutil.copytree(material.root / "state", state)
    return state


def _of_kit(material: Material, work: Path, chance: random.Random) -> Case:
    """A kit: every object and plain file of it, its names, and what is sealed in it."""
    safe, kit = work / "safe", material.kits[-1]
    shutil.copytree(material.root / "safe", safe)
    mine = safe / KITS / kit
    match chance.randrange(6):
        case 0 | 1:
            name, listed = _damaged(sorted(safe.rglob("*")), chance)
        case 2:
            name, listed = "card", False
            card = mine / "card.json"
            card.write_bytes(shapes.as_json(shapes.of_document(json.loads(card.read_bytes()), chance), chance))
        case 3:
            name, listed = _moved(safe, mine, material.kits[0], chance), True
        case _:
            name, listed = _resealed(material, mine, chance), False
    key, out = ("--identity", str(material.identity)), str(work / "out")
    named = ("--to", str(safe))
    commands: tuple[tuple[str, ...], ...] = (
        ("kit", "list", *named), ("kit", "list", *named, *key), ("kit", "list", *named, "--json"),
        ("kit", "check", *named), ("kit", "check", *named, *key), ("kit", "check", *named, *key, "--json"),
        ("kit", "card", *named), ("kit", "card", *named, *key, "--html"), ("kit", "card", *named, "--json"),
        ("kit", "restore", "--into", out, *named, *key), ("kit", "restore", f"{safe}:{kit}", "--into", out, *key),
        (*_config(material, work), "recover", "infra", "--kit", f"{safe}:newest", *key, "--dry-run"),
        (*_config(material, work), "recover", "infra", "--kit", f"{safe}:{kit}", *key, *PHRASE),
        (*_config(material, work), "recover", "media", "--kit", f"{safe}:newest", *key, "--dry-run"),
    )  # fmt: skip
    command = chance.choice(commands)
    refused = command[-2:] == PHRASE or (listed and command[:2] == ("kit", "check") and key[0] in command)
    return Case(f"kit, {name}", command, refused=refused, keeps=safe)


def _damaged(paths: Sequence[Path], chance: random.Random) -> tuple[str, bool]:
    """A file of the place, and whether `kit check` must say so: not for what no digest names, or the older kit's."""
    newest = max(path.name for path in paths if path.parent.name == KITS)
    files = [path for path in paths if path.is_file() and (newest in path.parts or "media" in path.parts)]
    path = chance.choice(files)
    before = path.read_bytes()
    if chance.random() < 0.2:
        shapes.of_kind(path, chance)
        changed = True
    else:
        path.write_bytes(shapes.of_bytes(before, chance))
        changed = path.read_bytes() != before
    plain = path.name in ("card.txt", "card.html", "card.json")
    return f"{path.name[-20:]}", changed and not plain and newest in path.parts


def _moved(safe: Path, mine: Path, other: str, chance: random.Random) -> str:
    """Parts that change places, and a kit that calls itself another."""
    older = safe / KITS / other
    match chance.randrange(4):
        case 0:
            shutil.copytree(older, safe / KITS / f"20990101T000000Z-{APP}-abcdef")
            return "an old one under a newer name"
        case 1:
            later = safe / KITS / f"20990101T000000Z-{APP}-abcdef"
            shutil.copytree(older, later)
            card = json.loads((later / "card.json").read_bytes())
            (later / "card.json").write_text(json.dumps({**card, "kit": later.name}))
            return "an old one under a newer name, with a card"
        case 2:
            shutil.copy(older / MANIFEST, mine / MANIFEST)
            return "the manifest of another"
        case _:
            shutil.copy(older / "card.json", mine / "card.json")
            return "the card of another"


def _resealed(material: Material, mine: Path, chance: random.Random) -> str:
    """Another manifest, or another document with its digests put right, as whoever has the public key could make it."""
    manifest = material.unsealed(mine / MANIFEST)
    name = "manifest"
    if chance.random() < 0.5:
        manifest = shapes.of_document(manifest, chance)
    else:
        one = chance.choice([one for one in manifest["objects"] if one["name"].endswith(".json")])
        name = one["name"]
        path = mine.parents[1] / one["path"]
        plain = shapes.as_json(shapes.of_document(material.unsealed(path), chance), chance)
        sealed = material.sealed(plain)
        one |= {
            "sha256": hashlib.sha256(sealed).hexdigest(), "size": len(sealed),
            "plain_sha256": hashlib.sha256(plain).hexdigest(), "plain_size": len(plain),
        }  # fmt: skip
        path.write_bytes(sealed)
    data = material.sealed(shapes.as_json(manifest, chance))
    (mine / MANIFEST).write_bytes(data)
    card = json.loads((mine / "card.json").read_bytes())
    card["manifest_sha256"] = hashlib.sha256(data).hexdigest()
    (mine / "card.json").write_text(json.dumps(card))
    return f"sealed {name}"


def _of_state(material: Material, work: Path, chance: random.Random) -> Case:
    """Baseline, lock, copies, proofs, and what a team keeps."""
    state = _state(material, work)
    shutil.copytree(material.root / "team", work / "team")
    shutil.copytree(material.root / "copies" / "safe", state / "vault")
    sandbox = state / "sandbox"
    sandbox.mkdir(mode=0o700)
    (sandbox / "sandbox.json").write_text(json.dumps({"heroku": {"api_url": "http://127.0.0.1:1", "token": "t"}}))
    files = [path for path in (*state.rglob("*"), *(work / "team").rglob("*")) if path.is_file()]
    path = chance.choice([path for path in files if path.name != "journal.jsonl" and path.suffix != ".age"])
    before = path.read_bytes()
    match chance.randrange(4):
        case 0:
            shapes.of_kind(path, chance)
        case 1:
            path.write_bytes(shapes.of_bytes(before, chance))
        case _ if path.suffix == ".json":
            path.write_bytes(shapes.as_json(shapes.of_document(json.loads(before), chance), chance))
        case _ if path.suffix == ".jsonl":
            path.write_bytes(shapes.rechained(_records(before, chance)))
        case _:
            path.write_bytes(b"bob on \xff: 99999999999999999999")
    at = _config(material, work)
    commands: tuple[tuple[str, ...], ...] = (
        (*at, "recover", "db", *PHRASE), (*at, "recover", "db", "--dry-run"), ("runs", "list"), ("runs", "show"),
        (*at, "runs", "resume"), (*at, "runs", "resume", "--take-over"), (*at, "backup", "list"),
        (*at, "backup", "status"), (*at, "backup", "prune"), (*at, "verify", "db", "--json"),
        ("--target", "sandbox", "recover", "db", "--dry-run"), ("sandbox", "status"),
    )  # fmt: skip
    waits = [one for one in commands if "--take-over" in one or one[-2:] == PHRASE]  # a lease may say how long
    command = chance.choice([one for one in commands if "leases" not in path.parts or one not in waits])
    env = {"USCDR_STATE_DIR": str(state), "USCDR_SHARED": str(work / "team"), "USCDR_SHARED_LEASE": "5s"}
    return Case(f"state, {path.parent.name}/{path.name}"[:60], command, env, refused=command[-2:] == PHRASE)


def _of_line(material: Material, work: Path, chance: random.Random) -> Case:
    """Commands that there are, with options that they have, and values that mean something elsewhere."""
    at = _config(material, work)
    command: Any = program()
    words: list[str] = []
    while isinstance(command, TyperGroup):
        context: Any = command.context_class(command)
        names = sorted(set(command.list_commands(context)) - (_LEFT_OUT if not words else set()))
        name = chance.choice(names)
        command = command.get_command(context, name)
        words.append(name)
    for option in chance.sample(command.params, k=min(len(command.params), chance.randrange(4))):
        words += _given(option, chance)
    if chance.random() < 0.3:
        words.insert(chance.randrange(len(words) + 1), _odd(chance))
    state = _state(material, work)
    return Case("command line", (*at, *words), {"USCDR_STATE_DIR": str(state)})


def _given(option: Any, chance: random.Random) -> list[str]:
    """An argument or an option of Typer's own kind."""
    if option.param_type_name == "argument":
        return [_odd(chance)]
    name = chance.choice(option.opts)
    if getattr(option, "is_flag", False):
        return [name]
    return [name, _odd(chance)] if chance.random() < 0.5 else [f"{name}={_odd(chance)}"]


def _odd(chance: random.Random) -> str:
    """Nothing of it can be confirmed, or lies where something is."""
    texts = (
        "", " ", "x", "-1", "0", "99999999999999999999", "1e400", "nan", "b001", "b999", "v1", "newest", ":", "a:b:c",
        "../../etc/passwd", "/dev/zero", "/dev/null", "/proc/self/mem", "s3://x@y/z", "gs://", "file:///", "https://x",
        "$(id)", "x\ny", "\x1b[2J", "\u202e", "\udcff", "🦉", "A" * 5000, "--", "--json", "-", "2026-13-45",
        "9999-12-31", "0001-01-01T00:00:00+23:59", "all", "db", "age1xxxx", "%s", "{0}", "None", "[]",
    )  # fmt: skip
    return chance.choice(texts)


@dataclass
class Host:
    """The process that runs the cases."""

    process: subprocess.Popen[str]

    def run(self, case: Case, work: Path) -> tuple[Ended, float]:
        """How it ended, and after how many seconds."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        out, err = work.with_name("out.txt"), work.with_name("err.txt")
        env = {**environment(), "HEROKU_API_KEY": "a-token-of-nobody", "HOME": str(work), **case.env}
        env.setdefault("USCDR_STATE_DIR", str(work / "own-state"))
        asked = {"arguments": list(case.arguments), "env": env, "cwd": str(work), "out": str(out), "err": str(err)}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        said = json.loads(self.process.stdout.readline())
        code = HUNG if said["code"] == HUNG else int(said["code"])
        return Ended(code, out.read_text(errors="replace"), err.read_text(errors="replace")), said["seconds"]


@contextmanager
def _host() -> Iterator[Host]:
    command = [sys.executable, "-m", "tests.campaigns.mutants_host"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("the program could not be imported")
        try:
            yield Host(process)
        finally:
            process.stdin.close()


class _Answers(BaseHTTPRequestHandler):
    """An account that has nothing, and may order anything: whatever else is asked for is not there."""

    writes: list[str]

    def do_GET(self) -> None:
        asked = self.path.partition("?")[0]
        known: dict[str, Any] = {"/account": {"id": "u", "email": "ada@example.org"}}
        if sold := _SOLD.fullmatch(asked):
            plans = [f"{sold[1]}:{size}" for size in ("mini", "essential-0")]
            known[asked] = [{"name": one, "state": "ga", "price": {"cents": 500, "unit": "month"}} for one in plans]
        body = known.get(asked)
        self._answer(404 if body is None else 200, body or {"id": "not_found", "message": "There is no such thing."})

    def _write(self) -> None:
        if self.path.endswith(_READ_BY_POST):
            self._answer(404, {"id": "not_found", "message": "There is no such thing."})
            return
        self.writes.append(f"{self.command} {self.path}")
        self._answer(422, {"id": "invalid_params", "message": "Nothing is made here."})

    do_POST = do_PUT = do_PATCH = do_DELETE = _write  # noqa: N815 - as the base class calls them

    def _answer(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


@dataclass(frozen=True)
class Platform:
    """Where it is, and what it was asked to change."""

    address: str
    writes: list[str]


@contextmanager
def _platform() -> Iterator[Platform]:
    writes: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answers", (_Answers,), {"writes": writes}))
    with served(server):
        yield Platform(f"http://127.0.0.1:{server.server_address[1]}", writes)
