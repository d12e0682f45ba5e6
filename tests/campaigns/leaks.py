"""Canaries in every secret and in patients' data: nothing of them in output, journals, reports, files or processes."""

from __future__ import annotations

import psycopg

from . import leaks_places
from .canaries import Canaries, Watch
from .kill import RECOVER, finish
from .product import Ended
from .scale import drawn
from .stand import Stand
from .tally import Tally

NAME = "Zyxolina Quovadis-Ürümqi"
KEY = "Xanthippe Kanarienvogel"
NOTE = "canary diagnosis of the glabella"
_PLANT = (
    "CREATE TABLE canary_person (name text PRIMARY KEY, note text)",
    f"INSERT INTO canary_person SELECT '{KEY} ' || n, '{NOTE}' FROM generate_series(1, 20) n",
    f"UPDATE patients_patient SET first_name = '{NAME}' WHERE id IN (SELECT id FROM patients_patient LIMIT 5)",
    f"INSERT INTO django_session VALUES ('{KEY}', '{NAME}', now())",
)
FLAGS: tuple[tuple[str, ...], ...] = ((), ("--json",), ("--verbose",), ("--quiet",))
SHOWN = (
    ("runs", "list"),
    ("runs", "show"),
    ("runs", "report"),
    ("--json", "runs", "report"),
    ("--verbose", "runs", "show"),
)


def run(stand: Stand, tally: Tally, *, count: int, seed: int) -> None:
    """A recovery in words, one as JSON, one verbose, one that is refused: watched from outside."""
    account = stand.contract["check_account"]
    for flags in drawn(FLAGS, count, seed):
        _recovery(stand, tally, flags, account)
    _bad_data(stand, tally)
    leaks_places.run(tally, count=count, seed=seed)


def planted(stand: Stand) -> Canaries:
    """The stand's secrets and the data planted here."""
    whole = Canaries({"patient name": NAME, "patient key": KEY, "diagnosis": NOTE})
    whole.spellings |= stand.canaries.spellings
    return whole


def _plant(stand: Stand) -> None:
    with psycopg.connect(stand.database(), autocommit=True) as connection:
        for statement in _PLANT:
            connection.execute(statement.encode())


def _recovery(stand: Stand, tally: Tally, flags: tuple[str, ...], account: dict[str, str]) -> None:
    _plant(stand)
    wrong = stand.damage("drop-table")
    canaries = planted(stand)
    product = stand.case("leak")
    asked = product.run(*RECOVER, "--dry-run")
    phrase, mark = stand.phrase_from(asked), stand.mark()
    running = product.start(*flags, *RECOVER, "--confirm", phrase, env={"USCDR_CHECK_PASSWORD": account["password"]})
    with Watch(running.process.pid, canaries) as watch:
        ended = running.wait()
    outputs = {"dry run": asked, "recovery": ended}
    outputs |= {" ".join(command): product.run(*command) for command in SHOWN}
    found = [f"{name}: {hit}" for name, output in outputs.items() for hit in canaries.found(output.text.encode())]
    found += canaries.in_files(product.state)
    own = {hit for hit in watch.hits if not hit.startswith("environ of uscdr:")}
    found += sorted(own)
    if len(watch.children) < 2 or not watch.looks:
        wrong.append("the processes could not be watched")
    tally.leak(f"recovery {' '.join(flags)}", found)
    finish(stand, tally, product, mark, f"recovery {' '.join(flags)}", [*wrong, *ended.complaints(0)])


def _bad_data(stand: Stand, tally: Tally) -> None:
    """A restore that fails over a row: PostgreSQL quotes values, uscdr must not. The fault makes it fail half way."""
    _plant(stand)
    wrong = stand.damage("drop-table")
    canaries, product = planted(stand), stand.case("leak")
    asked = product.run(*RECOVER, "--dry-run")
    stand.errand("sandbox", "fault", "add", "transfer-fails", "--method", "POST", "--path", "*/restores")
    ended = product.run("--verbose", *RECOVER, "--confirm", stand.phrase_from(asked))
    stand.errand("sandbox", "fault", "clear")
    again: Ended = product.run("runs", "resume", "--confirm", stand.phrase_from(asked))
    if again.code == 4:
        again = product.run("runs", "resume", "--confirm", stand.asked_for(again))
    outputs = (asked, ended, again, *(product.run(*command) for command in SHOWN))
    found = [hit for output in outputs for hit in canaries.found(output.text.encode())]
    tally.leak("failed restore", [*found, *canaries.in_files(product.state)])
    wrong += [*ended.complaints(1, 3, 5), *again.complaints(0), *stand.complaints()]
    tally.case("failed restore", wrong=wrong)
    tally.leak("failed restore", stand.done_with(product))
    if wrong:
        stand.heal()
