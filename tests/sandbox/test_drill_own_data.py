"""A drill with a copy of the operator's own database and the operator's code: what it finds, and what it never has."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

import forked
from mail_sink import Sink, sink
from own_place import DESK, MARKS, PEOPLE, REAL_SECRET, OwnPlace, make, planted, planted_numbers, weight
from uscdr.drills import drill as drills
from uscdr.drills.environment import DrillRequest, Stage
from uscdr.drills.own_data import OwnRequest
from uscdr.pgserver.cluster import Tool
from uscdr.scenarios.adapters import Request
from uscdr.ui.console import Output


@pytest.fixture(scope="module")
def mail() -> Iterator[Sink]:
    """The operator's real mail server."""
    with sink() as server:
        yield server


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, mail: Sink) -> OwnPlace:
    return make(tmp_path_factory.mktemp("operator"), mail.server_address[1])


def call(place: OwnPlace, state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("USCDR_SANDBOX_P", "HEROKU"))}
    return forked.call(
        ("--config", str(place.config), "drill", "db", *arguments), env={**env, "USCDR_STATE_DIR": str(state)},
        cwd=place.root,
    )  # fmt: skip


def files(*roots: Path) -> Iterator[tuple[Path, bytes]]:
    for root in roots:
        yield from ((path, path.read_bytes()) for path in root.rglob("*") if path.is_file())


def texts_of_dumps(root: Path) -> Iterator[bytes]:
    """Every dump as SQL: its rows are compressed."""
    program = str(Tool.find("pg_restore", minimum_major=17).path)
    for path, data in files(root):
        if data.startswith(b"PGDMP"):
            done = subprocess.run([program, "--file=-", str(path)], capture_output=True, check=True)
            yield done.stdout


def all_rows(url: str) -> bytes:
    """Every row of every table and view, as the server prints it."""
    listed = (
        "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'm') AND relnamespace = 'public'::regnamespace"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        names = [name for (name,) in connection.execute(listed)]
        rows = (row for name in names for (row,) in connection.execute(f"SELECT t::text FROM {name} t".encode()))
        return "\n".join(rows).encode()


NUMBERS = """
SELECT count(*), count(DISTINCT p.student_no), count(DISTINCT p.ticket), min(length(p.student_no::text)),
       max(length(p.phone::text)), bool_and(p.state = 10 * ((p.id - 1) % 3)),
       nextval('ward_patient_id_seq') > max(p.id),
       nextval(pg_get_serial_sequence('ward_patient', 'ticket')) > max(p.ticket)
FROM ward_patient p JOIN ward_note n ON n.patient_id = p.id JOIN ward_token t ON t.key = n.token
JOIN ward_account a ON a.id = t.account_id
"""


class Look:
    """What the test sees of the sandbox before it goes."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}

    def at(self, sandbox: Stage, place: OwnPlace) -> None:
        config = sandbox_config(sandbox)
        originals = (*MARKS, REAL_SECRET.encode())
        raw = [*files(sandbox.home, sandbox.request.state), *files(postgres_files(sandbox))]
        seen = {path.name for path, data in raw for value in originals if value in data}
        unpacked = [*texts_of_dumps(sandbox.home), all_rows(config["DATABASE_URL"])]
        seen |= {"unpacked" for data in unpacked for value in originals if value in data}
        wanted = {str(value) for number in range(PEOPLE) for value in planted_numbers(number).values()} | {str(DESK)}
        numbers = {one for data in unpacked for one in re.findall(r"[0-9]{13}", data.decode()) if one in wanted}
        with psycopg.connect(config["DATABASE_URL"]) as connection:
            tables = [name for name in place.rows if name != "ward_token"]
            counts = {
                name: connection.execute(f"SELECT count(*) FROM {name}".encode()).fetchall()[0][0] for name in tables
            }
            objects = connection.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchall()[0][0]
            query = "SELECT bool_and(pgp_sym_decrypt(name_enc, %s) = name) FROM ward_patient"
            decrypts = connection.execute(query, [config["WARD_KEY"]]).fetchall()[0][0]
            counted = connection.execute(NUMBERS).fetchall()[0]
            weights = connection.execute("SELECT id, weight FROM ward_patient").fetchall()
        self.found = {
            "numbers": numbers, "counted": counted, "weights": {key: float(value) for key, value in weights},
            "seen": seen, "files": len(raw), "dumps": len(unpacked) - 1, "rows": counts, "objects": objects,
            "decrypts": decrypts, "config": config, "unmasked": [*sandbox.request.state.glob("scratch/masking-*")],
        }  # fmt: skip


def sandbox_config(sandbox: Stage) -> dict[str, str]:
    with sandbox.look(Request("db")) as deps:
        return {name: value.get_secret_value() for name, value in deps.platform.config_vars(deps.app).items()}


def postgres_files(sandbox: Stage) -> Path:
    return Path(json.loads((sandbox.directory.postgres / "server.json").read_text())["home"])


@pytest.fixture(scope="module")
def drilled(place: OwnPlace, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, Any], Path]:
    """One drill of the whole way: its exit code, what was seen of its sandbox, and the directory of its reports."""
    root, look = tmp_path_factory.mktemp("drill"), Look()
    usual = drills._carry_out

    def watched(disaster: Any, sandbox: Stage, run: str) -> Any:
        done = usual(disaster, sandbox, run)
        look.at(sandbox, place)
        return done

    own = OwnRequest("vault:newest", str(place.code), place.python, place.identity)
    request = DrillRequest("drop-table", 200, root / "reports", root / "state", place.config, own=own)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drills, "_carry_out", watched)
        patch.setenv("WARD_SECRET", REAL_SECRET)
        code = drills.drill("db", request, Output(json_lines=False, quiet=True, verbose=False, color=False))
    return code, {**look.found, "left": [*(root / "state").glob("scratch/*")]}, root / "reports"


def test_the_operators_application_mails_where_nothing_keeps_it_from_it(place: OwnPlace, mail: Sink) -> None:
    env = {"WARD_SECRET": "x", "WARD_HOSTS": "*", "DATABASE_URL": "postgres://127.0.0.1:9/x", "PATH": "/usr/bin:/bin"}
    words = [str(place.python), "manage.py", "shell", "-c", "from ward.urls import mailed; mailed()"]
    subprocess.run(words, cwd=place.code, env=env, check=True, capture_output=True)
    assert mail.recipients == ["patient@ward.example"]
    mail.recipients.clear()


def test_it_recovers_the_operators_data_with_the_operators_code(drilled: tuple[int, dict[str, Any], Path]) -> None:
    code, _, reports = drilled
    facts = json.loads((reports / "drill-db.json").read_text())
    assert (code, facts["sound"], facts["rows_lost"]) == (0, True, 0)
    assert facts["data"]["backup"] == "b007"


def test_every_row_is_there_and_encrypted_columns_have_the_drills_key(
    place: OwnPlace, drilled: tuple[int, dict[str, Any], Path]
) -> None:
    found = drilled[1]
    assert found["rows"] == {name: rows for name, rows in place.rows.items() if name != "ward_token"}
    assert found["decrypts"]
    assert found["objects"] == 0


def test_no_planted_value_is_anywhere_in_the_sandbox(drilled: tuple[int, dict[str, Any], Path]) -> None:
    found = drilled[1]
    assert found["seen"] == set()
    assert found["files"] > 500
    assert found["dumps"] >= 2  # the masked dump, and b001
    assert found["unmasked"] == []
    assert found["left"] == []


def test_no_planted_number_is_there_but_the_one_that_the_file_keeps(drilled: tuple[int, dict[str, Any], Path]) -> None:
    assert drilled[1]["numbers"] == {str(DESK)}


def test_keys_codes_and_sequences_hold_and_numbers_are_as_long_as_before(
    drilled: tuple[int, dict[str, Any], Path],
) -> None:
    assert drilled[1]["counted"] == (PEOPLE, PEOPLE, PEOPLE, 13, 13, True, True, True)


def test_nobody_has_the_weight_of_before_and_each_is_one_of_the_columns_range(
    drilled: tuple[int, dict[str, Any], Path],
) -> None:
    found = drilled[1]["weights"]
    assert len(found) == PEOPLE
    assert [key for key, value in found.items() if value == weight(key - 1)] == []
    assert all(weight(0) <= value <= weight(PEOPLE - 1) for value in found.values())


def test_no_mail_reaches_the_real_server_and_the_variables_are_harmless(
    mail: Sink, drilled: tuple[int, dict[str, Any], Path]
) -> None:
    config = drilled[1]["config"]
    assert mail.recipients == []
    assert config["WARD_SECRET"] != REAL_SECRET
    assert config["WARD_URL"].startswith("http://127.0.0.1")
    assert "WARD_MAIL_TOKEN" not in config


def test_the_report_says_what_was_masked_and_no_value(
    place: OwnPlace, drilled: tuple[int, dict[str, Any], Path]
) -> None:
    reports = drilled[2]
    page = (reports / "drill-db.md").read_text()
    assert "| ward_patient.email | email | by its type | 50 |" in page
    assert "| ward_account.role | keep | words of the application | 50 |" in page
    assert "| ward_patient.name_enc | encrypted |" in page
    assert "| ward_patient.student_no | number | by its type | 50 |" in page
    assert "| ward_patient.state | keep | codes that many rows share | 50 |" in page
    told = page + (reports / "drill-db.json").read_text()
    assert not [value for value in place.planted if value in told]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--from", "vault:newest"), "needs a key"),
        (("--from", "vault:b009", "--identity", "identity.txt"), "There is no backup “b009”"),
        (("--from", "kit:newest", "--identity", "identity.txt"), "There is no kit in"),
        (("--from", "somewhere", "--identity", "identity.txt"), "does not name a copy"),
        (("--from", "vault:newest", "--identity", "identity.txt"), "does not know where the application's code is"),
        (("--from", "vault:newest", "--identity", "identity.txt", "--source", "nowhere"), "no directory nowhere"),
        (("--from", "vault:newest", "--identity", "identity.txt", "--source", "code"), "needs an interpreter"),
        (("--source", "code"), "are for a drill of the database with --from"),
    ],
)
def test_what_is_missing_is_said_before_anything_starts(
    place: OwnPlace, tmp_path: Path, options: tuple[str, ...], says: str
) -> None:
    done = call(place, tmp_path / "state", *options)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert "Next:" in done.stderr
    assert "PostgreSQL" not in done.stderr


def test_an_interpreter_without_the_applications_requirement_is_refused(place: OwnPlace, tmp_path: Path) -> None:
    import sys

    done = call(place, tmp_path / "state", "--from", "vault:newest", "--identity", "identity.txt", "--source", "code",
                "--python", sys.executable)  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "lacks the module clipboard_of_the_ward" in done.stderr


def test_planted_values_are_two_hundred_different_ones(place: OwnPlace) -> None:
    assert len(set(place.planted)) == 200 == PEOPLE * len(planted(0))
    assert all(any(mark in value.lower().encode() for mark in MARKS) for value in place.planted)
