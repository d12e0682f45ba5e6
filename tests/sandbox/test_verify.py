"""`uscdr verify` on a healthy clinic: everything passes, nothing is written, and what hangs is waited for once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from xml.etree import ElementTree as ET

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from forked import USCDR
from live_sandbox import start, stop, until
from uscdr.sandbox.boot.request import UpRequest
from verify_desk import ANSWERED, VerifyDesk

COMMON = ("command", "target", "app")
MANY = 12
"""Rounds."""
RUNS = 5
"""Of the whole command, one after the other."""
ADMIN_PAGES = 2
"""Looks at the admin's login form in one verification: the application itself keeps its secret in a new session."""


@pytest.fixture(scope="module")
def desk() -> Iterator[VerifyDesk]:
    live = start(UpRequest(patients=30))
    yield VerifyDesk(live)
    stop(live)


@pytest.fixture(autouse=True)
def no_faults(desk: VerifyDesk) -> Iterator[None]:
    yield
    desk.live.control("DELETE", "faults")


def rows(desk: VerifyDesk, query: str) -> list[tuple[object, ...]]:
    return desk.live.sql(query)


def test_with_the_questions_answered_all_22_lines_pass(desk: VerifyDesk) -> None:
    seen = desk.verify("--save-baseline", *ANSWERED)
    assert seen.amiss == {}
    assert seen.code == 0
    assert len(seen.items) == 22
    assert {item["verdict"] for item in seen.items} == {"pass"}


def test_without_a_terminal_questions_are_not_checked_and_that_is_no_success(desk: VerifyDesk) -> None:
    seen = desk.verify()
    assert seen.code == 1
    assert set(seen.amiss) == {"menus-by-eye", "monitor-by-eye"}
    assert {seen.verdicts[name] for name in seen.amiss} == {"not checked"}
    assert sum(item["verdict"] == "not checked" for item in seen.items) == 2


def test_skipped_questions_are_named_in_the_result(desk: VerifyDesk) -> None:
    done = desk.call("verify", "integration", "--skip-manual")  # nothing that the application counts
    assert done.returncode == 0, done.stderr
    assert "6 of 6 lines pass" in done.stdout
    assert "skipped monitor-by-eye" in done.stdout
    assert "--skip-manual" in done.stdout


def test_an_answer_of_no_fails(desk: VerifyDesk) -> None:
    seen = desk.verify("*-by-eye", "--answer", "menus-by-eye=no", "--answer", "monitor-by-eye=yes")
    assert seen.code == 1
    assert list(seen.failing) == ["menus-by-eye"]


def test_no_false_alarm_run_after_run(desk: VerifyDesk) -> None:
    for number in range(RUNS):
        seen = desk.verify("--skip-manual")
        assert seen.amiss == {}, f"run {number}"


def test_nothing_is_written_anywhere(desk: VerifyDesk) -> None:
    counted = (
        "SELECT (SELECT coalesce(sum(view_count), 0) FROM health_info_healthcampaign)"
        " + (SELECT coalesce(sum(view_count), 0) FROM health_info_healthinformation)"
        " + (SELECT coalesce(sum(download_count), 0) FROM reports_generatedreport)"
    )
    personal = "SELECT key, user_id FROM authtoken_token ORDER BY key"
    logins = "SELECT id, last_login FROM authentication_user ORDER BY id"
    before = [rows(desk, query) for query in (counted, personal, logins)]
    writes = len([one for one in desk.live.audit() if one["write"]])
    mails = desk.live.control("GET", "mail")
    assigned = min(_transactions_that_wrote(desk) for _ in range(3))  # autovacuum may write once
    assert assigned == ADMIN_PAGES
    assert [rows(desk, query) for query in (counted, personal, logins)] == before
    assert len([one for one in desk.live.audit() if one["write"]]) == writes
    assert desk.live.control("GET", "mail") == mails


def _transactions_that_wrote(desk: VerifyDesk) -> int:
    """Only a transaction that writes is given a number by the server."""
    url = desk.live.get(f"/apps/{desk.live.app}/config-vars")["DATABASE_URL"]
    query = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
    with psycopg.connect(url, autocommit=True) as connection:
        first = connection.execute(query).fetchone()
        assert desk.verify("--skip-manual").amiss == {}
        last = connection.execute(query).fetchone()
    assert first is not None
    assert last is not None
    return int(last[0] - first[0])


def test_writes_that_are_allowed_are_taken_back(desk: VerifyDesk) -> None:
    query = "SELECT (SELECT count(*) FROM file_uploads_uploadedfile), (SELECT count(*) FROM reports_generatedreport)"
    before = rows(desk, query)
    seen = desk.verify("--allow-writes", "--skip-manual")
    assert seen.amiss == {}
    assert {"upload-and-removed", "report-made-and-removed", "mail-sent", "login-and-logout"} <= seen.verdicts.keys()
    assert rows(desk, query) == before


def test_a_provider_that_hangs_costs_its_timeout_once_and_the_rest_reports(desk: VerifyDesk) -> None:
    desk.live.fault("slow:120", provider="heroku", method="*", path="/apps/*", count=0)
    seen = desk.verify("--skip-manual", "--deadline", "45s", "--json")
    assert seen.code == 3  # nothing failed, and the platform could not be asked
    spent = _seconds(seen.text)
    assert spent < 40, f"{spent} s"  # 30 s is what one check may take
    assert {seen.verdicts[name] for name in ("dynos", "release", "addons")} == {"inconclusive"}
    assert {seen.verdicts[name] for name in ("homepage", "signed-in", "certificate")} == {"pass"}


def _seconds(text: str) -> float:
    events = [json.loads(line)["event"] for line in text.splitlines() if '"uscdr.event.v1"' in line]
    return float(next(event["seconds"] for event in events if event["kind"] == "checks.finished"))


def test_a_dead_application_is_inconclusive_or_failing_and_never_a_traceback(desk: VerifyDesk) -> None:
    desk.live.fault("reset-before", provider="application", method="*", path="/*", count=0)
    seen = desk.verify("--skip-manual")
    assert seen.code == 1
    assert {seen.verdicts[name] for name in ("homepage", "signed-in", "admin-login")} <= {"inconclusive", "fail"}
    assert seen.verdicts["dynos"] == "pass"


@pytest.mark.parametrize(
    "arguments",
    [
        ("everything",),
        ("all", "no-such-check"),
        ("all", "mail-sent"),
        ("all", "--answer", "menus-by-eye"),
        ("all", "--answer", "homepage=yes"),
        ("db", "--save-baseline"),
        ("all", "homepage", "--save-baseline"),
        ("all", "--deadline", "soon"),
        ("all", "--junit", "no/such/directory/x.xml"),
        ("all", "--output", "yaml"),
        ("all", "*-by-eye", "--skip-manual"),
        ("all", "--app", "../account"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(desk: VerifyDesk, arguments: tuple[str, ...]) -> None:
    before = len(desk.live.audit())
    done = desk.call("verify", *arguments)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "\nError: " in f"\n{done.stderr}"
    assert len(desk.live.audit()) == before


def test_junit_and_markdown_tell_the_same_sum(desk: VerifyDesk) -> None:
    done = desk.call("verify", "integration", "--skip-manual", "--junit", "v.xml", "--markdown", "v.md")
    assert done.returncode == 0, done.stderr
    suites = ET.parse(desk.home / "v.xml").getroot()
    assert suites.get("failures") == "0"
    assert len(suites.findall("./testsuite[@name]")) >= 1
    assert "6 of 6 lines pass" in (desk.home / "v.md").read_text()


def test_stdout_is_the_result_in_the_named_format_and_nothing_else(desk: VerifyDesk) -> None:
    done = desk.call("verify", "integration", "--skip-manual", "--output", "junit")
    suites = ET.fromstring(done.stdout.encode())
    assert (done.returncode, suites.tag, suites.get("failures")) == (0, "testsuites", "0")
    cases = suites.findall("./testsuite[@name='checks']/testcase")
    assert cases
    assert all(float(one.get("time", "")) >= 0 for one in cases)
    assert suites.find("./testsuite/properties/property[@name='run']") is not None
    page = desk.call("verify", "integration", "--skip-manual", "--output", "markdown").stdout
    assert page.startswith("# ")
    assert "6 of 6 lines pass" in page
    both = desk.call("verify", "integration", "--output", "junit", "--json")
    assert (both.returncode, json.loads(both.stdout)["schema"]) == (2, "uscdr.error.v1")


def test_a_verification_is_in_the_journal_and_is_not_resumed(desk: VerifyDesk) -> None:
    desk.verify("homepage")
    listed = json.loads(desk.call("runs", "list", "--json").stdout.splitlines()[-1])
    assert listed["scenario"] == "verify all"
    assert listed["state"] == "done"
    resumed = desk.call("runs", "resume", listed["run"])
    assert resumed.returncode == 2
    assert "was a check" in resumed.stderr


def test_another_application_is_asked_at_its_own_address(desk: VerifyDesk) -> None:
    desk.live.send("POST", "/apps", {"name": "another-place"}, status=201)
    try:
        seen = desk.verify("homepage", "config", "dynos", "--app", "another-place")
    finally:
        desk.live.send("DELETE", "/apps/another-place")
    assert {"config", "dynos"} <= seen.failing.keys()
    assert seen.verdicts["homepage"] != "pass"


def test_a_watch_of_many_rounds_keeps_no_connection_open(desk: VerifyDesk) -> None:
    """A day has 144 rounds; a process may have 1,024 files open."""
    arguments = [USCDR, "--target", "sandbox", "watch", "db", "--for", "10m", "--every", "1s", "--json"]
    env = {**os.environ, "USCDR_STATE_DIR": str(desk.home)}
    open_files: list[int] = []
    with subprocess.Popen(arguments, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as watch:
        assert watch.stdout is not None
        ends = (line for line in watch.stdout if "checks.finished" in line)
        open_files.extend(_open_files(watch.pid) for _ in islice(ends, MANY))
        # A count may fall into the next round, which has its connections open: one between two rounds is waited for.
        early = min(open_files[: MANY // 2])
        try:
            until(lambda: _open_files(watch.pid) <= early + 3)
        finally:
            watch.send_signal(signal.SIGINT)
    assert len(open_files) == MANY


def _open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def measured(path: Path) -> dict[str, float]:
    """Each metric, with the labels that only it has."""
    families = text_string_to_metric_families(path.read_text())
    samples = (one for family in families for one in family.samples)
    return {" ".join((one.name, *(v for k, v in one.labels.items() if k not in COMMON))): one.value for one in samples}


def test_watch_writes_its_metrics_after_each_round(desk: VerifyDesk) -> None:
    file = desk.home / "watch.prom"
    arguments = [USCDR, "--target", "sandbox", "watch", "db", "--for", "10m", "--every", "1s", "--json"]
    env = {**os.environ, "USCDR_STATE_DIR": str(desk.home)}
    with subprocess.Popen(
        [*arguments, "--metrics", str(file)], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as watch:
        assert watch.stdout is not None
        rounds = (json.loads(line)["event"] for line in watch.stdout if '"checks.started"' in line)
        first, second = islice(rounds, 2)  # the second round begins when the metrics of the first one are there
        during = measured(file)
        watch.send_signal(signal.SIGINT)
        watch.stdout.read()
    after = measured(file)
    assert (first["round"], second["round"]) == (1, 2)
    verdicts = [value for name, value in during.items() if name.startswith("uscdr_checks ")]
    assert sum(verdicts) == len(first["checks"]) > 0  # a busy machine may fail a check of speed
    assert during["uscdr_unknown uscdr_command_exit_code"] == 1
    assert "uscdr_command_exit_code" not in during
    assert after["uscdr_command_exit_code"] == watch.returncode == 130
    assert not any("newest" in name or "margin" in name for name in after)


def test_watch_tells_what_changes(desk: VerifyDesk) -> None:
    desk.live.fault("500", provider="application", method="GET", path="/admin/login/", call=2, count=1)
    done = desk.call("watch", "all", "admin-login", "--for", "6s", "--every", "1s", "--json")
    events = [json.loads(line)["event"] for line in done.stdout.splitlines()]
    rounds = [event for event in events if event["kind"] == "checks.finished"]
    assert len(rounds) >= 3
    assert [one["changed"] for one in rounds][:3] == [
        [], ["admin-login: pass -> fail"], ["admin-login: fail -> pass"]
    ]  # fmt: skip
    assert done.returncode == 0
    assert rounds[-1]["next_at"] is None
