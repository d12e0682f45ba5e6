"""Canaries where the other scenarios look: config, logs, names of files, keys of the domain, media and kit."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import cloudinary.uploader
import psycopg

from uscdr.sandbox.boot.deploy import LOG_DRAIN

from .canaries import Canaries, Watch
from .escrow import Escrow, escrow
from .product import Ended, Product
from .scale import drawn
from .stand import Stand, phrase_of, standing
from .tally import Tally

PERSON = "Zyxolina Quovadis"
FILE = "uploads/Zyxolina_Quovadis_xray"
LOST = "uploads/Kanarienvogel_Xanthippe_scan"
CONFIG = "zq7-canary-of-the-config-x81"
PASSPHRASE = "zq8 canary words of a passphrase"
HIDDEN = {
    "person in a log line": PERSON,
    "name of a file": FILE,
    "name of a lost file": LOST,
    "config variable": CONFIG,
    "passphrase": PASSPHRASE,
    "log drain": str(urlsplit(LOG_DRAIN).password),
}
PATIENTS = "30"
ANY_KEY = b"AGE-SECRET-KEY-1"
ON = ("--target", "sandbox")
LOOKS = (("runs", "show"), ("runs", "report"), ("--json", "runs", "report"), ("--verbose", "runs", "show"))


def run(tally: Tally, *, count: int, seed: int) -> None:
    """On a sandbox of its own: its application is gone at the end."""
    with standing("--patients", PATIENTS) as stand:
        _plant(stand)
        made = escrow(stand)
        _escrow(stand, tally, made)
        _backups(stand, tally, made)
        kit = ("--kit", f"{made.place}:newest")
        works: tuple[Callable[[], None], ...] = (
            lambda: _recovery(stand, tally, ("app", "bad-release"), ()),
            lambda: _recovery(stand, tally, ("media", "half-backed-up"), kit, made),
            lambda: _recovery(stand, tally, ("infra", "app-gone"), kit, made),
            lambda: _drill(stand, tally),
        )
        for work in drawn(works, count, seed):
            work()
        tally.leak("the kits themselves", _below(stand.canaries, made.place))


def _plant(stand: Stand) -> None:
    contract = stand.contract
    account = contract["cloudinary"]["accounts"][0]
    secrets = {f"media secret {one['cloud']}": one["api_secret"] for one in contract["cloudinary"]["accounts"]}
    secrets |= {"DNS key": contract["dns"]["key"], "Cloudflare token": contract["dns"]["cloudflare"]["token"]}
    stand.canaries.spellings |= Canaries({**HIDDEN, **secrets}).spellings
    stand.api("PATCH", f"/apps/{stand.app}/config-vars", {"CANARY_OF_THE_CLINIC": CONFIG})
    cloudinary.uploader.upload(
        b"\x89PNG\r\n\x1a\n" + os.urandom(2000), public_id=FILE, resource_type="image", tags=["usc-pis"],
        cloud_name=account["cloud"], api_key=account["api_key"], api_secret=account["api_secret"],
        upload_prefix=contract["cloudinary"]["api_url"],
    )  # fmt: skip
    with psycopg.connect(stand.database(), autocommit=True) as connection:
        for name in (f"{FILE}.png", f"{LOST}.png"):
            connection.execute(_POINT, (name, name))


_POINT = """
UPDATE file_uploads_uploadedfile SET file = %s
WHERE id = (SELECT min(id) FROM file_uploads_uploadedfile WHERE file NOT LIKE 'uploads/Z%%' AND file <> %s)
"""


def _escrow(stand: Stand, tally: Tally, made: Escrow) -> None:
    """Building and checking a kit, in words and as JSON."""
    product = stand.case("kit")
    to, key = ("--to", str(made.place)), ("--identity", str(made.identity))
    commands = [
        ("--verbose", *ON, "kit", "build", *to, "--recipient", made.recipient),
        ("--json", *ON, "kit", "build", *to, "--recipient", made.recipient),
        *(("kit", what, *to) for what in ("list", "check", "card")),
        *((*flags, "kit", "check", *to, *key) for flags in ((), ("--json",), ("--verbose",))),
        ("--verbose", *ON, "kit", "check", *to, *key, "--online"),
        ("kit", "card", *to, *key, "--html"),
        # what is taken out is in the clear, as asked for: not among what is searched
        ("--verbose", "kit", "restore", *to, *key, "--into", str(made.place.parent / "taken out")),
    ]
    ended = {" ".join(part for part in command if "/" not in part): product.run(*command) for command in commands}
    wrong = [f"{name}: {what}" for name, one in ended.items() for what in one.complaints(0)]
    tally.case("kit", wrong=wrong)
    _judge(stand, tally, product, "kit", ended)


def _backups(stand: Stand, tally: Tally, made: Escrow) -> None:
    """Every command about backups, and the checklists, in words and as JSON; the processes are watched, too."""
    product = stand.case("backups")
    vault, word = product.state / "vault", product.state / "passphrase"
    word.write_text(PASSPHRASE + "\n")
    word.chmod(0o600)
    to, key = ("--to", str(vault)), ("--identity", str(made.identity))
    locked = ("--passphrase-file", str(word))
    commands = {
        (*ON, "backup", "pull", *to, "--recipient", made.recipient, *locked): (0,),
        (*ON, "backup", "prove", *to, *key): (0,),
        ("--json", *ON, "backup", "prove", *to, *locked): (0,),
        ("--json", *ON, "backup", "list", *to): (0,),
        ("--verbose", *ON, "backup", "status", *to): (0, 1),
        ("--verbose", *ON, "backup", "schedule", *to): (0, 1),
        ("--verbose", *ON, "backup", "prune", *to): (0,),
        ("--verbose", *ON, "verify", "all", "--skip-manual"): (0, 1),
        ("--json", *ON, "verify", "all", "--skip-manual"): (0, 1),
    }
    ended: dict[str, Ended] = {}
    for command, allowed in commands.items():
        name = " ".join(part for part in command[:5] if "/" not in part)
        running = product.start(*command, env={"USCDR_CHECK_PASSWORD": stand.contract["check_account"]["password"]})
        with Watch(running.process.pid, stand.canaries) as watch:
            ended[name] = running.wait()
        tally.case(name, wrong=ended[name].complaints(*allowed))
        tally.leak(name, sorted(hit for hit in watch.hits if not hit.startswith("environ of uscdr:")))
    tally.leak("the copies", _below(stand.canaries, vault))
    word.unlink()
    _judge(stand, tally, product, "backups", ended)


def _drill(stand: Stand, tally: Tally) -> None:
    """Its sandbox has the same people as this one, because it has the same seed; its key is one that it made."""
    product = stand.case("drill")
    (product.state / "sandbox").unlink()
    reports = product.state / "reports"
    ended = product.run("drill", "media", "--patients", PATIENTS, "--report", str(reports))
    texts = [ended.text.encode(), *(path.read_bytes() for path in product.state.rglob("*") if path.is_file())]
    wrong = [*ended.complaints(0), *([] if [*reports.glob("*.json")] else ["no report"])]
    tally.case("drill", wrong=wrong)
    tally.leak("drill", ["a private key"] if any(ANY_KEY in text for text in texts) else [])
    _judge(stand, tally, product, "drill", {"drill": ended})


def _recovery(
    stand: Stand, tally: Tally, damage: tuple[str, str], options: tuple[str, ...], made: Escrow | None = None
) -> None:
    scenario, how = damage
    unseen = _be_logged(stand)
    stand.errand("sandbox", "break", scenario, "--how", how)
    product = stand.case(scenario)
    command = (*ON, "recover", scenario, *options)
    shared = product.state / "shared"
    shared.mkdir()
    env = {"USCDR_SHARED": str(shared), **({"USCDR_AGE_IDENTITY": str(made.identity)} if made else {})}
    asked = product.run(*command, "--dry-run", env=env)
    running = product.start("--verbose", *command, "--confirm", phrase_of(asked), env=env)
    with Watch(running.process.pid, stand.canaries) as watch:
        ended = running.wait()
    # exit 1: one file is in no copy, and the scenario says so
    wrong = [*unseen, *asked.complaints(0), *ended.complaints(0, 1)]
    tally.leak(f"recover {scenario}", sorted(hit for hit in watch.hits if not hit.startswith("environ of uscdr:")))
    again = product.run("--json", *command, "--dry-run", "--new", env=env)
    outputs = {"dry run": asked, "recovery": ended, "dry run as JSON": again}
    outputs |= {" ".join(look): product.run(*look) for look in LOOKS}
    wrong += [] if any(shared.glob("runs/*/*")) else ["nothing of it is in the shared state"]
    tally.case(f"recover {scenario}", wrong=wrong)
    _judge(stand, tally, product, f"recover {scenario}", outputs)


def _be_logged(stand: Stand) -> list[str]:
    """The router writes the path of a request into the log; said when it did not."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    address = f"{stand.contract['web_url'].rstrip('/')}/api/patients/{PERSON.replace(' ', '%20')}/"
    for _ in range(3):
        with suppress(OSError):
            opener.open(address, timeout=10).close()
    with opener.open(stand.api("POST", f"/apps/{stand.app}/log-sessions", {"lines": 500})["logplex_url"]) as log:
        return [] if PERSON.encode() in log.read() else ["the canary is not in the log"]


def _judge(stand: Stand, tally: Tally, product: Product, name: str, outputs: dict[str, Ended]) -> None:
    found = [f"{said}: {hit}" for said, one in outputs.items() for hit in stand.canaries.found(one.text.encode())]
    tally.leak(name, found)
    tally.leak(name, stand.done_with(product))


def _below(canaries: Canaries, root: Path) -> list[str]:
    """In files, and in their names."""
    named = [f"a file's name: {hit}" for path in root.rglob("*") for hit in canaries.found(str(path).encode())]
    return [*named, *canaries.in_files(root)]
