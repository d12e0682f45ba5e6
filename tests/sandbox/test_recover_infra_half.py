"""The application is lost by half: without its database, alive beside the new place, or in an account that is shut."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import dns.name
import dns.query
import dns.rcode
import dns.tsig
import dns.update
import psycopg
import pytest

from forked import USCDR
from infra_desk import HOST, OLD, Desk, opened

SECOND, REFUGE = "usc-pis-second", "usc-pis-refuge"
LIMIT = 240.0
CLINICAL = ("patients_patient", "patients_medicalrecord", "patients_consultation")


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with opened("uscdr-infra-half-") as desk:
        desk.kit()
        yield desk


def by_hand(desk: Desk, target: str) -> None:
    """What a person does at the DNS provider."""
    facts = desk.contract["dns"]
    key = dns.tsig.Key(dns.name.from_text(facts["key_name"]), facts["key"], dns.tsig.HMAC_SHA256)
    message = dns.update.UpdateMessage(facts["zone"], keyring=key)
    message.replace(dns.name.from_text(HOST), 60, "CNAME", f"{target}.")
    answer = dns.query.tcp(message, facts["server"], port=facts["port"], timeout=10)
    assert answer.rcode() == dns.rcode.NOERROR


def test_an_application_without_its_database_is_rebuilt_in_place(desk: Desk) -> None:
    config, formation, record = desk.config(OLD), desk.formation(OLD), desk.records("primary")
    desk.call("sandbox", "break", "infra", "--how", "addon-gone")
    before = len(desk.writes())
    desk.recover("--kit", "newest", "--in-place-if-possible")
    assert desk.formation(OLD) == formation
    assert desk.running(OLD).count("beat") == formation["beat"] == 1
    assert desk.api(f"/apps/{OLD}")["maintenance"] is False
    now = desk.config(OLD)
    assert {name for name in config if now.get(name) != config[name]} == {"DATABASE_URL"}
    assert desk.records("primary") == record
    mine = desk.writes()[before:]
    assert [one for one in mine if one == "POST /apps" or "/domains" in one] == []
    assert [one for one in mine if "/addons" in one] == [f"POST /apps/{OLD}/addons"]
    assert desk.through_the_edge("/api/health/").status_code == 200


def test_in_place_nothing_is_loaded_over_a_database_that_is_there(desk: Desk) -> None:
    before = desk.writes()
    assert "uscdr --target sandbox recover db" in desk.plan("--kit", "newest", "--in-place-if-possible", code=1).stderr
    assert desk.writes() == before


def test_a_name_of_our_own_is_not_taken_over(desk: Desk) -> None:
    desk.api("/apps", "POST", {"name": "usc-pis-ours"})
    before = desk.writes()
    assert "The application usc-pis-ours already exists" in desk.plan("--app", "usc-pis-ours", code=1).stderr
    assert desk.writes() == before
    desk.api("/apps/usc-pis-ours", "DELETE")


def test_beside_a_living_application_nothing_runs_twice_and_a_person_edits_the_zone(desk: Desk) -> None:
    env = {"USCDR_SANDBOX_DNS": "manual"}
    options = ("--kit", "newest", "--app", SECOND)
    with psycopg.connect(desk.config(OLD)["DATABASE_URL"]) as written:  # after the kit, and after every backup
        written.execute(
            "UPDATE patients_patient SET address = 'Last' WHERE id = (SELECT min(id) FROM patients_patient)"
        )
    confirm = desk.phrase(*options, **env)
    before = len(desk.writes())
    arguments = [USCDR, "--target", "sandbox", "recover", "infra", *options, "--confirm", confirm]
    run = subprocess.Popen(arguments, env=desk.environment(env), cwd=desk.state, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)  # fmt: skip
    try:
        shown = _target_of(desk, run)
        assert desk.mails(SECOND) == 0
        assert "beat" not in desk.running(OLD) + desk.running(SECOND)
        by_hand(desk, shown)
        _, said = run.communicate(timeout=LIMIT)
    finally:
        run.kill()
    assert run.returncode == 0, said[-2000:]
    assert shown in said
    assert desk.running(OLD) == []
    assert desk.api(f"/apps/{OLD}")["maintenance"] is True
    there, here = desk.rows(OLD), desk.rows(SECOND)
    assert "Last" in here["patients_patient"]
    assert {name: here.get(name) for name in CLINICAL} == {name: there[name] for name in CLINICAL}
    assert desk.running(SECOND).count("beat") == 1
    assert desk.through_the_edge("/api/health/").status_code == 200
    mine = desk.writes()[before:]
    assert mine.index(f"PATCH /apps/{OLD}/formation") < mine.index(f"POST /apps/{SECOND}/builds")
    assert mine.index(f"DELETE /apps/{OLD}/domains/{HOST}") < mine.index(f"POST /apps/{SECOND}/domains")


def _target_of(desk: Desk, run: subprocess.Popen[str]) -> str:
    """What the run asks a person to set, once it does."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end and run.poll() is None:
        switch = [event for event in desk.events("step.started") if event["step"] == "switch"]
        if switch:
            return str(switch[0]["baseline"]["new"][0]["values"][0])
        time.sleep(0.2)
    raise AssertionError(f"it never asked: {run.poll()}")


def test_an_account_that_is_locked_ends_clearly_and_another_one_builds_from_the_kit(desk: Desk) -> None:
    desk.call("sandbox", "break", "infra", "--how", "account-locked")
    before = desk.writes()
    assert "suspended" in desk.plan("--kit", "newest", "--app", REFUGE, code=3).stderr
    assert desk.writes() == before
    env = {"HEROKU_API_KEY": desk.spare, "USCDR_SANDBOX_DNS": "cloudflare"}
    held = desk.recover("--kit", "newest", "--app", REFUGE, code=3, **env)
    assert f"Another app has the hostname {HOST}" in held.stderr
    assert "uscdr --target sandbox runs resume" in held.stderr
    assert desk.mails(REFUGE) == 0
    desk.call("sandbox", "break", "infra", "--how", "account-locked", "--undo")
    desk.api(f"/apps/{SECOND}/domains/{HOST}", "DELETE")
    desk.resume(code=0, **env)
    refuge = desk.api(f"/apps/{REFUGE}/domains", token=desk.spare)
    target = next(one["cname"] for one in refuge if one["hostname"] == HOST)
    assert all(target in line for line in desk.records("secondary"))
