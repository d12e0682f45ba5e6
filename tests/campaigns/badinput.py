"""Bad input of every kind: one clear message, the documented exit code, no write, nothing changed."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

from . import badoptions
from . import mutations as mutate
from .cases import BAD, DECLINED, FAILED, LIMIT, Case, message, one, ran
from .escrow import escrow
from .kill import RECOVER
from .product import PROGRAM, Ended, Product, environment
from .scale import drawn
from .stand import Stand
from .tally import Tally

_BIG = "A" * 100_000
_TARGETED = ("--target", "sandbox")


def run(stand: Stand, tally: Tally, *, count: int, seed: int) -> None:
    """Hand-written cases, then mutated configurations; the database is compared at the end."""
    product = stand.case("input")
    phrase = stand.phrase("none")
    groups = (credentials(stand, phrase), confirmations(), options(), streams(), state_places(stand))
    made = escrow(stand)
    for case in drawn((case for group in (*groups, badoptions.cases(stand, made)) for case in group), 3 * count, seed):
        if tally.goes_on():
            one(stand, tally, product, case)
    _configurations(stand, tally, product, count, seed)
    _big_files(stand, tally, product)
    _full_disk(stand, tally, phrase)
    left = stand.complaints()
    tally.case("nothing was changed", wrong=left)
    tally.leak("bad input", stand.done_with(product))
    if left:
        stand.heal()


def credentials(stand: Stand, phrase: str) -> list[Case]:
    """Tokens and names that are wrong."""
    confirmed = (*RECOVER, "--confirm", phrase)
    config = stand.root / "unknown-app.yaml"
    heroku = stand.contract["heroku"]
    config.write_text(mutate.for_target(heroku, "no-such-app", stand.contract["ca_file"]))
    known = {"HEROKU_API_KEY": heroku["token"]}
    elsewhere = ("--config", str(config), "--target", "elsewhere", "recover", "db")
    return [
        Case("wrong token", confirmed, (FAILED,), {"HEROKU_API_KEY": "HRKU-wrong-wrong-wrong"}),
        Case("token of one line feed", confirmed, (BAD, FAILED), {"HEROKU_API_KEY": "HRKU-a\nX-Evil: 1"}),
        Case("token that is not ASCII", confirmed, (BAD, FAILED), {"HEROKU_API_KEY": "HRKU-ü"}),
        Case("unknown app", (*elsewhere, "--dry-run"), (FAILED, BAD), known),
        Case("unknown app, confirmed", (*elsewhere, "--confirm", phrase), (FAILED, BAD), known),
        Case("unknown target", ("--target", "nowhere", "recover", "db"), (BAD,)),
    ]


def confirmations() -> list[Case]:
    """Backups and phrases that do not fit; nobody is there to be asked."""
    base = (*_TARGETED, "recover", "db")
    return [
        Case("unknown backup", (*base, "--backup", "b999", "--dry-run"), (1, BAD)),
        Case("a backup that is none", (*base, "--backup", "r001", "--dry-run"), (1, BAD)),
        Case("unknown backup, confirmed", (*base, "--backup", "b999", "--confirm", "x"), (1, BAD, DECLINED)),
        Case("no terminal, no phrase", RECOVER, (DECLINED,)),
        Case("no terminal, empty phrase", (*RECOVER, "--confirm", ""), (DECLINED, BAD)),
        Case("wrong phrase", (*RECOVER, "--confirm", "yes"), (DECLINED,)),
        Case("the app's name as phrase", (*RECOVER, "--confirm", "usc-pis"), (DECLINED,)),
        Case("dots as phrase", (*RECOVER, "--confirm", "usc-pis b001 lose …"), (DECLINED,)),
    ]


def options() -> list[Case]:
    """Texts that would mean something to a shell, a path, a terminal or a parser."""
    hostile = {
        "shell": "$(touch /tmp/pwned); `id` && rm -rf / | cat > x",
        "path": "../../../../etc/passwd",
        "rtl": "b001\u202e100b",
        "escape": "\x1b[2J\x1b]0;title\x07b001",
        "line feeds": "b001\n\nExit:  0 (done)",
        "big": _BIG,
        "dash": "--dry-run",
        "unpaired surrogate": "b\udcff001",
        "percent": "%s%n{0}{x}",
    }
    cases = []
    for name, text in hostile.items():
        bad = (1, BAD, FAILED, DECLINED)
        cases += [
            Case(f"--backup {name}", (*_TARGETED, "recover", "db", f"--backup={text}", "--dry-run"), bad),
            Case(f"--confirm {name}", (*RECOVER, f"--confirm={text}"), (DECLINED, BAD)),
            Case(f"--target {name}", (f"--target={text}", "recover", "db", "--dry-run"), (BAD, FAILED)),
            Case(f"--config {name}", (f"--config={text}", "runbook"), (BAD, FAILED)),
            Case(f"runs show {name}", ("runs", "show", "--", text), (BAD, FAILED)),
            Case(f"runs resume {name}", ("runs", "resume", "--", text), (BAD, FAILED)),
            Case(f"runbook {name}", ("runbook", "--", text), (BAD, FAILED)),
            Case(f"command {name}", (text,), (BAD,)),
        ]
    return [*cases, Case("unknown option", ("recover", "db", "--frobnicate"), (BAD,))]


def streams() -> list[Case]:
    """Streams that are closed or full: what reads must end in order; what is refused must still be refused."""
    reads = ("runs list", "runbook db", "--version", "--help", "--target sandbox backup list", "sandbox status")
    cases = [
        Case(f"{command} {how}", tuple(command.split()), (0, 1, FAILED), shell=how, spoken=False)
        for command in reads
        for how in (">&-", "2>&-", ">&- 2>&-", "<&-", ">/dev/full", "2>/dev/full", "| true")
    ]
    for how in (">&-", "2>&-", ">&- 2>&-", ">/dev/full", "2>/dev/full", ">/dev/full 2>&1"):
        cases.append(Case(f"refused recovery {how}", RECOVER, (DECLINED,), shell=how, spoken=False))
        dry = (*RECOVER, "--dry-run")
        cases.append(Case(f"dry run {how}", dry, (0, FAILED), shell=how, spoken=False))
    return cases


def state_places(stand: Stand) -> list[Case]:
    """State directories that cannot be one. (Root may write anywhere, so a file stands in the way.)"""
    file = stand.root / "a-file"
    file.write_text("in the way")
    link = stand.root / "a-loop"
    link.symlink_to(link)
    places = {
        "a file": file,
        "below a file": file / "x",
        "a loop": link,
        "proc": Path("/proc/nowhere"),
        "long": Path("/tmp/" + "n" * 300),
    }
    cases = [
        Case(
            f"state is {name}: {command}",
            tuple(command.split()),
            (0, BAD, FAILED),
            {"USCDR_STATE_DIR": str(place)},
            spoken=False,
        )
        for name, place in places.items()
        for command in (
            "runs list",
            "runs show",
            "runs resume",
            "--target sandbox recover db --dry-run",
            "sandbox status",
        )
    ]
    config = stand.root / "unknown-app.yaml"
    heroku = stand.contract["heroku"]
    confirmed = ("--config", str(config), "--target", "real", "recover", "db", "--confirm", "x")
    known = {"HEROKU_API_KEY": heroku["token"]}
    return [
        *cases,
        *(
            Case(f"state is {name}: recover", confirmed, (BAD, FAILED), {"USCDR_STATE_DIR": str(place), **known})
            for name, place in places.items()
        ),
    ]


def _aside(stand: Stand) -> Path:
    """Not where commands are given: a scenarios.yaml there would be everybody's."""
    directory = stand.root / "configurations"
    directory.mkdir(exist_ok=True)
    return directory / "scenarios.yaml"


def _configurations(stand: Stand, tally: Tally, product: Product, count: int, seed: int) -> None:
    """Wrong configurations are refused with file and line before anything is called."""
    config = _aside(stand)
    for name, text in [*drawn(mutate.by_hand(), 3 * count, seed), *mutate.at_random(count, random.Random(seed))]:
        config.write_bytes(text)
        calls = len(stand.audit())
        ended = ran(product, Case(name, ("--config", str(config), *RECOVER, "--confirm", "x"), (BAD,)))
        wrong = [*ended.complaints(BAD), *message(ended)]
        if "scenarios.yaml" not in ended.err:
            wrong.append("the file is not named: " + ended.last())
        if len(stand.audit()) != calls:
            wrong.append("something was called")
        if mutate.PRIVATE in ended.text:
            wrong.append("a private key was repeated")
        tally.case(f"scenarios.yaml {name}", wrong=wrong)


def _big_files(stand: Stand, tally: Tally, product: Product) -> None:
    """A configuration of 10 MB, and one that never ends."""
    config = _aside(stand)
    config.write_text("version: 1\n# " + "x" * 10_000_000 + "\n")
    for name, path in (("of 10 MB", str(config)), ("that is a directory", str(stand.root))):
        one(stand, tally, product, Case(f"scenarios.yaml {name}", ("--config", path, "runbook"), (BAD, FAILED)))


def _full_disk(stand: Stand, tally: Tally, phrase: str) -> None:
    """No room for the journal: no step is begun without its record. A tiny tmpfs for root, else a file size limit."""
    for room in (0, 4, 16):
        product = stand.case("full")
        limited = f"ulimit -f {room}; trap '' XFSZ; exec \"$@\""
        mark = stand.mark()
        done = subprocess.run(
            ["/bin/bash", "-c", limited, "bash", PROGRAM, *RECOVER, "--confirm", phrase],
            env={**environment(), "USCDR_STATE_DIR": str(product.state)}, cwd=stand.root,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT, check=False,
        )  # fmt: skip
        ended = Ended(done.returncode, done.stdout, done.stderr)
        wrong = ended.complaints(FAILED)
        if any(one["path"].endswith("/restores") for one in stand.writes(mark)):
            wrong.append("a restore was sent without room for its record")
        wrong += _goes_on(product, phrase) if stand.writes(mark) else []
        tally.case(f"disk full after {room} blocks", wrong=wrong)
        tally.leak("disk full", stand.done_with(product))
    if os.geteuid() == 0:
        _tiny_disk(stand, tally, phrase)


def _goes_on(product: Product, phrase: str) -> list[str]:
    """With room again the run is resumed."""
    ended = product.run("runs", "resume", "--confirm", phrase)
    return ended.complaints(0)


def _tiny_disk(stand: Stand, tally: Tally, phrase: str) -> None:
    product = stand.case("tiny")
    (product.state / "sandbox").unlink()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20k", "tmpfs", str(product.state)], check=False)
    if mounted.returncode != 0:
        return
    try:
        (product.state / "sandbox").symlink_to(stand.home / "sandbox")
        mark = stand.mark()
        ended = ran(product, Case("tmpfs", (*RECOVER, "--confirm", phrase), (FAILED,)))
        wrong = ended.complaints(FAILED)
        if any(one["path"].endswith("/restores") for one in stand.writes(mark)):
            wrong.append("a restore was sent although the disk was full")
        subprocess.run(["mount", "-o", "remount,size=400m", str(product.state)], check=True)
        wrong += _goes_on(product, phrase) if stand.writes(mark) else []
        tally.case("disk of 20 kB", wrong=wrong)
        tally.leak("tiny disk", stand.canaries.in_files(product.state))
    finally:
        subprocess.run(["umount", str(product.state)], check=True)
