"""Notices of an incident, by the real program: killed between intent and receipt, refused, cut; never sent twice."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .notices_places import FAULTS, MOMENTS, POSTS, SECRET, Places, Trouble, ended
from .product import Product
from .tally import Tally

PEOPLE = tuple(f"p{number}@clinic.example" for number in range(4))
CANARIES = (SECRET, "canary-smtp-secret", "canary-platform-token", *PEOPLE)
TRIES = 8
"""Commands after which everything that can be sent must be."""
CONFIG = """
communication:
  channels:
    mail:
      {{kind: smtp, audience: team, server: "127.0.0.1:{mail}", security: none, sender: s@clinic.example,
       batch: {batch}}}
    chat: {{kind: webhook, form: json, audience: team, url_from: USCDR_CHAT_URL}}
"""


@dataclass(frozen=True)
class NoticeCase:
    """What happens to the first notice: on the mail server, on the chat."""

    number: int
    mail: tuple[str, int, str]
    chat: tuple[str, str]
    batch: int

    @property
    def name(self) -> str:
        return f"{self.number}: mail {' '.join(map(str, self.mail))}, chat {' '.join(self.chat)}, batch {self.batch}"


def cases(count: int, seed: int) -> Iterator[NoticeCase]:
    """Every second one kills; the rest by chance."""
    chance = random.Random(seed)
    for number in range(count):
        mail = "kill" if number % 2 == 0 else chance.choice(FAULTS[:6])
        chat = "kill" if number % 4 == 1 else chance.choice(("none", "cut-before", "cut-after", "429", "500", "400"))
        yield NoticeCase(
            number, (mail, chance.randrange(len(PEOPLE)), chance.choice(MOMENTS)), (chat, chance.choice(POSTS)),
            chance.choice((1, 1, 2, 4)),
        )  # fmt: skip


def run(tally: Tally, *, count: int, seed: int) -> None:
    """`count` incidents, each with one notice to four people and a chat."""
    with tempfile.TemporaryDirectory(prefix="uscdr-notices-") as place:
        prepared = _prepared(Path(place))
        for case in cases(count, seed):
            if not tally.goes_on():
                return
            _one(case, prepared, Path(place) / f"case{case.number}", tally)


def _prepared(place: Path) -> Path:
    """A configuration directory with a list of recipients, encrypted to a key beside it."""
    home = place / "prepared"
    config = home / "config" / "uscdr"
    config.mkdir(parents=True)
    pyrage = __import__("pyrage")
    identity = pyrage.x25519.Identity.generate()
    (home / "identity.txt").write_text(f"{identity}\n")
    (home / "identity.txt").chmod(0o600)
    (home / "team.txt").write_text("\n".join(PEOPLE))
    packaged = Path(__file__).parents[2] / "scenarios.yaml"
    shutil.copy(packaged, config / "scenarios.yaml")
    env = _environment(home) | {"USCDR_KIT_RECIPIENTS": str(identity.to_public())}
    subprocess.run(
        [str(Path(sys.executable).parent / "uscdr"), "incident", "audience", "import", "--from", str(home / "team.txt"),
         "--group", "team"], env=env | {"USCDR_STATE_DIR": str(home / "state")}, check=True, capture_output=True,
    )  # fmt: skip
    return home


def _environment(home: Path) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", ""), "HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"),
        "USCDR_AGE_IDENTITY": str(home / "identity.txt"), "HEROKU_API_KEY": "canary-platform-token", "USER": "ada",
        "LANG": "C.UTF-8",
    }  # fmt: skip


def _one(case: NoticeCase, prepared: Path, home: Path, tally: Tally) -> None:
    shutil.copytree(prepared, home)
    places = Places(mail=Trouble(*case.mail), chat=Trouble(case.chat[0], 0, case.chat[1]))
    try:
        config = home / "config" / "uscdr" / "scenarios.yaml"
        before, _, rest = config.read_text().partition("communication:\n")
        after = rest[rest.index("# What follows the restoration.") :]
        config.write_text(before + CONFIG.format(mail=places.mail_port, batch=case.batch) + after)
        product = Product(home / "state", _environment(home) | {"USCDR_CHAT_URL": places.chat_url})
        wrong = _played(product, places)
    finally:
        places.close()
    doubles = [f"{name} came {number} times to {who}" for (name, who), number in places.arrived.items() if number > 1]
    tally.case(case.name, wrong=wrong, doubles=doubles)
    tally.leak(case.name, _leaks(home, product))


def _played(product: Product, places: Places) -> list[str]:
    """Open, notify with trouble, then again until nothing waits; what went wrong."""
    opened = product.run("incident", "open", "--what", "the database is damaged")
    wrong = opened.complaints(0)
    first = product.start("incident", "notify", "--to", "internal", "--send")
    places.kill = ended(first.process.pid)
    ending = first.wait(60)
    if ending.code >= 0:
        wrong += ending.complaints(0, 3)
    for _ in range(TRIES):
        wrong += _settled(product, places)
        again = product.run("incident", "notify", "--to", "internal", "--send")
        wrong += again.complaints(0, 3)
        if again.code == 0:
            break
    return wrong + _complete(product, places)


def _settled(product: Product, places: Places) -> list[str]:
    """Answer for every message in doubt by what really arrived; a doubt must be named by `check`."""
    state = _state(product)
    if not state["doubtful"]:
        return []
    checked = product.run("incident", "check")
    wrong = [] if checked.code == 1 and "may have arrived" in checked.out else ["check does not name what is in doubt"]
    for notice, channel, arrived in _truth(product, places):
        answer = "sent" if arrived else "not-sent"
        wrong += product.run("incident", "settle", notice, channel, answer).complaints(0)
    return wrong


def _state(product: Product) -> dict[str, list[str]]:
    found = product.run("incident", "status")
    return {"doubtful": [line for line in found.out.splitlines() if line.startswith("IN DOUBT")]}


def _truth(product: Product, places: Places) -> Iterator[tuple[str, str, bool]]:
    """For each channel with a doubt: whether all of its doubtful messages arrived. Where only some did, they count as
    arrived: nobody gets it twice, and those who did not get it are told by the next notice."""
    for line in _state(product)["doubtful"]:
        words = line.split()
        notice, channel = words[3], words[5].rstrip(":")
        came = any(who == "chat" for _, who in places.arrived) if channel == "chat" else _some_unsure(product, places)
        yield notice, channel, came


def _some_unsure(product: Product, places: Places) -> bool:
    """Whether a mail arrived whose receipt is not recorded."""
    receipts: int = sum(
        json.loads(line)["event"].get("kind") == "notice.sent" and json.loads(line)["event"]["channel"] == "mail"
        for line in next((product.state / "incidents").glob("*/journal.jsonl")).read_text().splitlines()
    )
    return sum(number for (_, who), number in places.arrived.items() if who != "chat") > receipts


def _complete(product: Product, places: Places) -> list[str]:
    """Everybody has it, but who was refused for good, and who was in doubt beside one whom it reached."""
    journal = [json.loads(line)["event"] for line in
               next((product.state / "incidents").glob("*/journal.jsonl")).read_text().splitlines()]  # fmt: skip
    refused = sum(one.get("final", False) for one in journal)
    assumed = sum(one["kind"] == "notice.settled" and one["decision"] == "sent" for one in journal)
    missing = 1 + len(PEOPLE) - len(places.arrived) - refused
    if not 0 <= missing <= max(0, assumed - 1):
        return [f"{len(places.arrived)} messages arrived, {refused} were refused, {assumed} were settled as sent"]
    return []


def _leaks(home: Path, product: Product) -> list[str]:
    """Secrets and addresses in outputs, journals and the state directory."""
    places = [*product.streams(), *(path for path in product.state.rglob("*") if path.is_file())]
    return [f"{path.relative_to(home)}: {canary}" for path in places for canary in CANARIES
            if canary.encode() in path.read_bytes()]  # fmt: skip
