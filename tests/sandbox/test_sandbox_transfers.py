"""Backups and restores: their life, their links, and that they really carry the data."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import httpx
import psycopg
import pytest

from live_sandbox import Live, until
from uscdr.pgserver.cluster import Tool

COUNT = "SELECT (SELECT count(*) FROM clients), (SELECT count(*) FROM visits)"


def _trust(live: Live) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=live.contract["ca_file"])


def _public_url(live: Live, transfer: dict[str, object]) -> str:
    path = f"/client/v11/apps/{live.app}/transfers/{transfer['num']}/actions/public-url"
    answer = live.send("POST", path)
    assert answer["expires_at"].endswith("+0000")
    return str(answer["url"])


def test_a_transfer_is_found_by_number_and_by_uuid(live: Live) -> None:
    made = live.capture()
    assert (made["from_type"], made["to_type"], made["from_name"]) == ("pg_dump", "gof3r", "DATABASE")
    assert made["logs"]
    assert live.get(f"/client/v11/apps/{live.app}/transfers/{made['num']}?verbose=true") == made


def test_a_capture_is_pending_first_and_measured_last(live: Live) -> None:
    database = live.database()
    made = live.send("POST", f"/client/v11/databases/{database}/backups", status=201)
    assert (made["succeeded"], made["finished_at"]) == (None, None)
    done = live.transfer(made["uuid"])
    assert done["succeeded"] is True
    assert done["started_at"]
    assert 0 < done["processed_bytes"] < done["source_bytes"]
    assert "logs" not in live.get(f"/client/v11/apps/{live.app}/transfers/{made['uuid']}")


def test_a_restore_brings_back_what_was_captured(live: Live) -> None:
    before = live.sql(COUNT)
    backup = live.capture()
    live.control("POST", "break", {"how": "drop-table", "app": live.app})
    live.sql("CREATE TABLE written_since (id int)")
    restored = live.restore(backup["to_url"])
    assert (restored["succeeded"], restored["from_type"], restored["to_type"]) == (True, "gof3r", "pg_restore")
    assert restored["num"] > backup["num"]
    assert live.sql(COUNT) == before
    assert live.sql("SELECT to_regclass('written_since')") == [(None,)]
    owner = "SELECT tableowner = current_user FROM pg_tables WHERE tablename = 'clients'"
    assert live.sql(owner) == [(True,)]


def test_a_restore_takes_any_url(live: Live) -> None:
    before, backup = live.sql(COUNT), live.capture()
    live.control("POST", "break", {"how": "truncate", "app": live.app})
    assert live.sql(COUNT) != before
    restored = live.restore(_public_url(live, backup))
    assert (restored["succeeded"], restored["from_type"]) == (True, "htcat")
    assert live.sql(COUNT) == before


def test_a_database_that_nobody_can_reach_is_reachable_after_a_restore(live: Live) -> None:
    before, backup = live.sql(COUNT), live.capture()
    live.control("POST", "break", {"how": "unreachable", "app": live.app})
    with pytest.raises(psycopg.OperationalError):
        live.sql(COUNT)
    info = {one["name"]: one["values"] for one in live.get(f"/client/v11/databases/{live.database()}")["info"]}
    assert info["Status"] == ["Unavailable"]
    assert live.capture()["succeeded"] is False
    assert live.restore(backup["to_url"])["succeeded"] is True
    assert live.sql(COUNT) == before


def test_nothing_of_a_dump_runs_as_a_superuser(live: Live) -> None:
    """Whoever owns a database puts a function behind a column: `RESET ROLE` undoes a role that was only set."""
    body = (
        "DECLARE who text; BEGIN RESET ROLE; SELECT rolsuper::text INTO who FROM pg_catalog.pg_roles"
        " WHERE rolname = current_user; RETURN who; END"
    )
    live.sql(f"CREATE FUNCTION public.inner_tidy(v text) RETURNS text LANGUAGE plpgsql AS $f$ {body} $f$")
    live.sql(
        "CREATE FUNCTION public.tidy(v text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS"
        " $f$ BEGIN RETURN public.inner_tidy(v); END $f$"
    )
    live.sql("CREATE TABLE public.notes (v text, s text GENERATED ALWAYS AS (public.tidy(v)) STORED)")
    live.sql("INSERT INTO public.notes SELECT left(md5(g::text), 20) FROM generate_series(1, 5000) g")
    seen = "SELECT DISTINCT s FROM public.notes"
    assert live.restore(live.capture()["to_url"])["succeeded"] is True
    assert live.sql(seen) == [("false",)]
    live.control("POST", "break", {"how": "scramble-text", "app": live.app})
    assert live.sql(seen) == [("false",)]
    live.sql("DROP TABLE public.notes")


def test_a_restore_of_what_is_no_dump_fails_and_says_why(live: Live) -> None:
    backup = live.capture()
    failed = live.restore(live.contract["web_url"] + "index.html")
    assert failed["succeeded"] is False
    assert any("pg_restore" in entry["message"] for entry in failed["logs"])
    gone = live.restore(live.contract["web_url"] + "missing.dump")
    assert gone["succeeded"] is False
    assert any("404" in entry["message"] for entry in gone["logs"])
    live.restore(backup["to_url"])


def test_a_backup_of_another_app_can_be_restored_until_it_is_deleted(live: Live) -> None:
    backup = live.capture()
    live.send("POST", "/apps", {"name": "copy"}, status=201)
    live.order("copy", "heroku-postgresql:essential-0")
    restored = live.restore(backup["to_url"], "copy")
    assert (restored["succeeded"], restored["num"]) == (True, 1)
    assert live.sql(COUNT, "copy") == live.sql(COUNT)
    live.send("DELETE", f"/client/v11/apps/{live.app}/transfers/{backup['num']}")
    gone = live.restore(backup["to_url"], "copy")
    assert gone["succeeded"] is False
    assert live.sql(COUNT, "copy") == live.sql(COUNT)
    live.send("DELETE", "/apps/copy")


def test_a_public_link_gives_the_dump_whole_and_in_parts_and_ends(live: Live) -> None:
    backup = live.capture()
    url, trust = _public_url(live, backup), _trust(live)
    whole = httpx.get(url, verify=trust)
    assert whole.status_code == 200
    assert int(whole.headers["content-length"]) == backup["processed_bytes"] == len(whole.content)
    assert whole.content.startswith(b"PGDMP")
    part = httpx.get(url, verify=trust, headers={"Range": "bytes=5-14"})
    assert (part.status_code, part.content) == (206, whole.content[5:15])
    forged = httpx.get(url[:-4] + "0000", verify=trust)
    assert (forged.status_code, b"SignatureDoesNotMatch" in forged.content) == (403, True)
    expired = until(lambda: (one := httpx.get(url, verify=trust)).status_code != 200 and one)
    assert expired.status_code == 403
    assert b"<Code>AccessDenied</Code>" in expired.content
    assert live.restore(url)["succeeded"] is False
    live.restore(backup["to_url"])


def test_only_so_many_manual_backups_are_kept(live: Live) -> None:
    made = [live.capture()["num"] for _ in range(6)]
    transfers = live.get(f"/client/v11/apps/{live.app}/transfers")
    kept = [one["num"] for one in transfers if one["to_type"] == "gof3r"]
    assert kept == made[1:]
    assert {one["num_keep"] for one in transfers} == {5}
    assert live.api.get(f"/client/v11/apps/{live.app}/transfers/{made[0]}").status_code == 404


@pytest.mark.parametrize("kind", ["transfer-fails", "transfer-warnings", "transfer-vanishes"])
def test_transfers_go_wrong_on_request(live: Live, kind: str) -> None:
    live.fault(kind, method="POST", path="*/backups")
    made = live.send("POST", f"/client/v11/databases/{live.database()}/backups", status=201)
    path = f"/client/v11/apps/{live.app}/transfers/{made['uuid']}"
    if kind == "transfer-vanishes":
        until(lambda: live.api.get(path).status_code == 404)
        return
    done = live.transfer(made["uuid"])
    assert (done["succeeded"], done["warnings"]) == ((False, 0) if kind == "transfer-fails" else (True, 1))


def test_a_backup_that_ended_well_may_be_cut_off_empty_or_of_another_database(live: Live, tmp_path: Path) -> None:
    good = _contents(live, tmp_path)
    assert {"TABLE public clients", "TABLE DATA public clients"} <= good
    empty = _contents(live, tmp_path, "transfer-empty")
    assert {"TABLE public clients", "TABLE DATA public clients"} & empty == {"TABLE public clients"}
    strange = _contents(live, tmp_path, "transfer-strange")
    assert "TABLE public clients" not in strange
    with pytest.raises(subprocess.CalledProcessError):
        _contents(live, tmp_path, "transfer-cut", program=("pg_restore", "--file=/dev/null"))


def _contents(
    live: Live, place: Path, kind: str = "", program: tuple[str, ...] = ("pg_restore", "--list")
) -> set[str]:  # fmt: skip
    """The kinds and names of what a new backup holds. Raises CalledProcessError when it cannot be read."""
    if kind:
        live.fault(kind, method="POST", path="*/backups")
    made = live.capture()
    assert made["succeeded"] is True
    dump = place / "backup.dump"
    dump.write_bytes(httpx.get(_public_url(live, made), verify=_trust(live), trust_env=False).content)
    found = Tool.find(program[0], minimum_major=17).path
    done = subprocess.run([found, *program[1:], dump], capture_output=True, text=True, check=True)
    lines = (line.split("; ", 1)[-1].split() for line in done.stdout.splitlines() if not line.startswith(";"))
    return {" ".join(words[2:-1]) for words in lines}


def test_a_failing_restore_leaves_a_wreck(live: Live) -> None:
    backup = live.capture()
    live.fault("transfer-fails", path="*/restores")
    assert live.restore(backup["to_url"])["succeeded"] is False
    assert live.restore(backup["to_url"])["succeeded"] is True


def test_a_hanging_transfer_blocks_the_next_until_it_is_cancelled(live: Live) -> None:
    live.fault("transfer-hangs", method="POST", path="*/backups")
    path = f"/client/v11/databases/{live.database()}/backups"
    hanging, waiting = (live.send("POST", path, status=201)["uuid"] for _ in range(2))
    base = f"/client/v11/apps/{live.app}/transfers"
    until(lambda: live.get(f"{base}/{hanging}")["started_at"])
    assert live.get(f"{base}/{waiting}")["started_at"] is None
    live.send("POST", f"{base}/{hanging}/actions/cancel")
    over = live.transfer(hanging)
    assert (over["succeeded"], bool(over["canceled_at"])) == (False, True)
    assert live.transfer(waiting)["succeeded"] is True


def test_schedules_come_and_go(live: Live) -> None:
    path = f"/client/v11/databases/{live.database()}/transfer-schedules"
    made = live.send("POST", path, {"hour": "02", "timezone": "UTC", "schedule_name": "DATABASE_URL"}, status=201)
    assert made["hour"] == 2
    assert [one["uuid"] for one in live.get(path)] == [made["uuid"]]
    live.send("DELETE", f"{path}/{made['uuid']}")
    assert live.get(path) == []
    assert live.api.post(path, json={"hour": "24"}).status_code == 422


def test_the_database_describes_itself(live: Live) -> None:
    document = live.get(f"/client/v11/databases/{live.database()}")
    info = {one["name"]: one["values"] for one in document["info"]}
    assert info["Status"] == ["Available"]
    assert info["PG Version"][0].startswith("17.")
    assert int(info["Tables"][0]) >= 2
    assert info["Connections"][0].endswith("/20")
    status = live.get(f"/client/v11/databases/{live.database()}/wait_status")
    assert status["waiting?"] is False


def test_a_database_add_on_takes_no_more_connections_than_its_plan(live: Live) -> None:
    url = live.get(f"/apps/{live.app}/config-vars")["DATABASE_URL"]
    held: list[psycopg.Connection] = []
    try:
        with pytest.raises(psycopg.OperationalError, match="too many connections"):
            held.extend(psycopg.connect(url) for _ in range(30))
    finally:
        for connection in held:
            connection.close()
