"""A recovery and its incident: opened or joined, told by notices, resolved by proof."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from incident_world import T0, Captured, World, found_target, opened

from uscdr.commands.incident_desk import IncidentDesk
from uscdr.commands.incident_follow import RunFollower, joined, reminder
from uscdr.commands.notice_sender import BROKEN, NoticeSender, SenderOptions
from uscdr.engine.wait import Stop
from uscdr.incident.times import IncidentTimes, times_of
from uscdr.journal.writer import JournalWriter
from uscdr.models import events as ev
from uscdr.scenarios.adapters import Request
from uscdr.ui.console import Output

RUN = "20261128T025000Z-db-4f2a9c"


def stamped(number: int, event: ev.Payload, at: datetime) -> ev.Stamped:
    return ev.Stamped(run=RUN, seq=number, at=at, mono=float(number), event=event)


def recovery(
    world: World, *, outcome: Literal["done", "failed"] = "done", checked: bool = True, scenario: str = "db"
) -> list[ev.Stamped]:  # fmt: skip
    """The events of a recovery that opened the application again after 20 minutes, and its checks two minutes later."""
    steps = tuple(
        ev.PlannedStep(id=name, title=name, phase="p", effect=effect, action="change", summary="", name=kind,
                       params={"enabled": False} if name == "maintenance_off" else {})
        for name, effect, kind in (
            ("maintenance_off", "idempotent", "heroku.maintenance"), ("check", "read", "app.check"),
        )
    )  # fmt: skip
    begun = ev.RunStarted(
        scenario=scenario, target="production", app="usc-pis", request={}, version="0", user="ada", host="here",
        scenario_digest="d", rto_seconds=7200, rpo_seconds=14400, outage_at=None,
    )  # fmt: skip
    timed: list[tuple[float, ev.Payload]] = [
        (0, begun), (1, ev.PlanReady(digest="d", dry_run=False, steps=steps, budgets={"p": 60.0})),
        (2, ev.StepStarted(step="maintenance_off", title="Open", phase="p", effect="idempotent")),
        (20, ev.StepSucceeded(step="maintenance_off", seconds=1, summary="open")),
        (21, ev.StepStarted(step="check", title="Check", phase="p", effect="read", name="app.check")),
        *([(22, ev.StepSucceeded(step="check", seconds=1, summary="ok", name="app.check"))] if checked else []),
        (23, ev.RunFinished(outcome=outcome, exit_code=int(outcome != "done"), summary="ended",
                            follow_up=("Within 24 h: tell the clinic.",))),
    ]  # fmt: skip
    return [stamped(number, event, world.at + timedelta(minutes=minutes))
            for number, (minutes, event) in enumerate(timed)]  # fmt: skip


def followed(
    world: World, request: Request, *, outcome: Literal["done", "failed"] = "done", checked: bool = True
) -> RunFollower:  # fmt: skip
    """A follower that has seen a whole recovery."""
    desk = IncidentDesk(found_target(), Output(quiet=True))
    follower = RunFollower(desk, RUN, request, "Database corruption or loss", None)
    journal = JournalWriter.create(world.state / "runs" / RUN) if not (world.state / "runs" / RUN).exists() else None
    for event in recovery(world, outcome=outcome, checked=checked, scenario=request.scenario):
        if journal is not None:
            journal.record(event)
        follower(event)
    return follower


def test_a_recovery_opens_an_incident_with_its_first_change_and_resolves_it(world: World) -> None:
    request = joined(found_target(), Output(quiet=True), Request("db"), dry_run=False)
    assert request.incident
    assert not (world.state / "incidents").exists()
    followed(world, request)
    found = json.loads(world.call("status", "--json"))
    assert (found["incident"], found["state"]) == (request.incident, "restored")
    assert found["runs"] == [RUN]
    assert found["restored_at"] == (T0 + timedelta(minutes=20)).isoformat()
    assert "tell the clinic." in world.call("actions")


def test_service_that_was_proven_back_is_restored_also_if_an_objective_was_missed(world: World) -> None:
    request = joined(found_target(), Output(quiet=True), Request("db"), dry_run=False)
    followed(world, request, outcome="failed")
    assert json.loads(world.call("status", "--json"))["state"] == "restored"


def test_a_run_that_ends_late_does_not_end_an_outage_that_began_after_its_restoration(
    world: World, capsys: Captured
) -> None:
    request = joined(found_target(), Output(quiet=True), Request("db"), dry_run=False)
    events = recovery(world)
    follower = followed(world, request)
    world.pass_by(minutes=30)
    world.call("update", "--down-again", "errors again")
    follower(events[-1])  # the same run, resumed for its last step
    assert "If it is: uscdr incident resolve" in capsys.readouterr().err
    assert json.loads(world.call("status", "--json"))["state"] == "down"
    world.call("resolve", "--at", "03:11", code=2)
    world.pass_by(minutes=5)
    world.call("resolve")
    assert json.loads(world.call("status", "--json"))["restored_at"] == world.at.isoformat()


def test_without_its_last_checks_a_recovery_restores_nothing(world: World) -> None:
    request = joined(found_target(), Output(quiet=True), Request("db"), dry_run=False)
    followed(world, request, outcome="failed", checked=False)
    assert json.loads(world.call("status", "--json"))["state"] == "down"


def test_the_recovery_of_a_part_ends_only_the_outage_that_it_opened(world: World, capsys: Captured) -> None:
    opened(world)
    followed(world, joined(found_target(), Output(quiet=True), Request("media"), dry_run=False))
    assert "If it is: uscdr incident resolve" in capsys.readouterr().err
    assert json.loads(world.call("status", "--json"))["state"] == "down"


def test_the_recovery_of_a_part_ends_the_outage_that_it_opened(world: World) -> None:
    followed(world, joined(found_target(), Output(quiet=True), Request("media"), dry_run=False))
    assert json.loads(world.call("status", "--json"))["state"] == "restored"


def test_a_recovery_joins_the_open_incident_and_its_outage(world: World) -> None:
    opened(world)
    request = joined(found_target(), Output(quiet=True), Request("db"), dry_run=False)
    assert request.since == "2026-11-28T02:10:00+00:00"
    followed(world, request)
    assert len(list((world.state / "incidents").iterdir())) == 1
    dry = joined(found_target(), Output(quiet=True), Request("backups"), dry_run=True)
    assert (dry.incident, dry.since) == (request.incident, None), "restored: its outage is over"
    world.pass_by(days=2)
    later = joined(found_target(), Output(quiet=True), Request("db"), dry_run=False)
    assert later.incident not in ("", request.incident)
    assert joined(found_target(), Output(quiet=True), Request("dns"), dry_run=False).incident == ""
    assert joined(found_target(), Output(quiet=True), Request("db"), dry_run=True).incident == ""


def test_a_second_recovery_of_the_outage_says_that_service_is_down_again(world: World) -> None:
    opened(world)
    world.call("notify", "--send")
    world.call("resolve")
    world.call("notify", "--send")
    world.pass_by(minutes=40)
    request = joined(found_target(), Output(quiet=True), Request("app"), dry_run=False)
    follower = RunFollower(IncidentDesk(found_target(), Output(quiet=True)), RUN, request, "x", None)
    for event in recovery(world, scenario="app")[:3]:
        follower(event)
    status = world.call("status")
    assert "(down, " in status
    assert f"Service is down again: the recovery {RUN} began" in status
    assert "update to users" in status
    assert "down for 0 s from the newest outage, 2026-11-28 03:30 UTC" in status
    assert follower.request.since is None
    world.pass_by(minutes=10)
    joining = joined(found_target(), Output(quiet=True), Request("db"), dry_run=False)
    assert joining.since == "2026-11-28T03:30:00+00:00", "not the first outage, which was over"
    world.call("resolve")
    assert "was down for 10 min from the newest outage" in world.call("status")
    found = times_of(follower.desk.current(request.incident), ()).objective(world.at, 7200)
    assert (found.achieved_seconds, found.verdict) == (40 * 60, "met")
    assert found.basis == "the longest of 2 outages, 2026-11-28 02:10 UTC to 2026-11-28 02:50 UTC"
    assert times_of(follower.desk.current(request.incident), ()).objective(world.at, 1800).verdict == "missed"


def test_a_journal_that_cannot_be_written_is_a_warning_and_no_end_of_a_recovery(world: World, capsys: Captured) -> None:
    world.state.mkdir(exist_ok=True)
    (world.state / "incidents").write_text("not a directory")
    request = Request("db", incident="20261128T025000Z-incident-4f2a9c")
    follower = followed(world, request)
    assert "The incident is not up to date" in capsys.readouterr().err
    assert follower.reminders(T0) == []


def test_a_running_recovery_reminds_of_what_is_due(world: World) -> None:
    opened(world)
    request = joined(found_target(), Output(quiet=True), Request("db"), dry_run=False)
    desk = IncidentDesk(found_target(), Output(quiet=True))
    follower = RunFollower(desk, RUN, request, "x", None)
    assert follower.reminders(T0) == []
    for event in recovery(world)[:3]:
        follower(event)
    (line,) = follower.reminders(T0 + timedelta(minutes=16))
    assert line.startswith("first notice to the team overdue for 1 min; first notice to users overdue for 1 min.")
    assert line.endswith("In another terminal: uscdr incident notify")


def sender(world: World, *, composes: bool) -> NoticeSender:
    found = json.loads(world.call("status", "--json"))
    return NoticeSender(found_target(), Output(), found["incident"], Stop(), SenderOptions(composes))


def test_a_recovery_may_send_what_is_due_and_at_its_end_the_restoration(world: World, capsys: Captured) -> None:
    opened(world)
    with sender(world, composes=True) as beside:
        assert beside.options.composes
    assert [to for to, _, _ in world.mails()] == ["ben@clinic.example", "u1@x.example", "u2@x.example"]
    assert len(world.chat.posts) == 1
    assert "accepted" in capsys.readouterr().err
    world.pass_by(minutes=20)
    world.call("resolve")
    with sender(world, composes=True):
        """A run that ended at once."""
    assert len(world.mails()) == 6
    assert "available again" in world.mails()[-1][1]
    with sender(world, composes=True):
        """Nothing is due."""
    assert len(world.mails()) == 6


def test_a_recovery_tries_again_what_waits_and_writes_nothing_without_leave(world: World, capsys: Captured) -> None:
    opened(world)
    world.mail.replies["RCPT"] = ["451 later"]
    world.call("notify", "--send", "--to", "internal", code=3)
    world.mail.replies["RCPT"] = ["250 ok"]
    with sender(world, composes=False):
        """Looks at the incident at its end."""
    assert [to for to, _, _ in world.mails()] == ["ben@clinic.example"], "users were not told: nobody confirmed it"


def test_what_the_sender_could_not_send_is_said_on_the_screen_and_at_the_end(world: World, capsys: Captured) -> None:
    opened(world)
    world.mail.replies["RCPT"] = ["451 later"]
    with sender(world, composes=True) as beside:
        """Looks at the incident at its end."""
    assert any("waits for mail" in line for line in beside.reminders())
    assert "waits for mail" in capsys.readouterr().err


def test_an_internal_error_while_notices_are_sent_is_said(
    world: World, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    opened(world)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)  # as the program does
    monkeypatch.setattr(NoticeSender, "_send", fails)
    with sender(world, composes=True) as beside:
        """Looks at the incident at its end."""
    assert beside.reminders() == [BROKEN]
    assert BROKEN in capsys.readouterr().err


def test_a_run_that_the_operator_stopped_sends_no_more(world: World, capsys: Captured) -> None:
    opened(world)
    with sender(world, composes=True) as beside:
        beside.stop.event.set()
    assert world.mails() == []
    assert world.chat.posts == []


def test_a_notice_that_no_channel_carries_is_written_once_and_said(world: World, tmp_path: Path) -> None:
    config = tmp_path / "config" / "uscdr" / "scenarios.yaml"
    before, _, rest = config.read_text().partition("  channels:\n")
    config.write_text(before + rest[rest.index("# What follows the restoration.") :])
    opened(world)
    beside = sender(world, composes=True)
    for _ in range(3):
        beside._look()
    assert len(list((world.state / "outbox").rglob("*.txt"))) == 2, "one for the team and one for users"
    assert any("No channel reaches the team" in line for line in beside.reminders())


def test_a_recovery_beside_a_damaged_incident_opens_its_own(world: World) -> None:
    opened(world)
    (path,) = (world.state / "incidents").glob("*/journal.jsonl")
    path.write_bytes(path.read_bytes().replace(b"damaged", b"DAMAGED"))
    assert "is damaged at line 1" in reminder(found_target())
    assert joined(found_target(), Output(quiet=True), Request("db"), dry_run=False).incident != path.parent.name


def test_two_times_of_one_outage_are_named(world: World, capsys: Captured) -> None:
    opened(world)
    asked = Request("db", since="2026-11-28T01:50:00+00:00")
    assert joined(found_target(), Output(), asked, dry_run=False).since == asked.since
    told = capsys.readouterr().err
    assert "says that the outage began 2026-11-28 02:10 UTC; this run counts from 2026-11-28 01:50 UTC" in told
    joined(found_target(), Output(), Request("db", since="2026-11-28T02:10:20+00:00"), dry_run=False)
    assert capsys.readouterr().err == ""


def test_down_and_the_rto_are_told_apart_by_where_they_end() -> None:
    """Service is down until it is restored; the RTO counts until the checks passed."""
    began = datetime(2026, 11, 28, 2, 0, tzinfo=UTC)
    opened, checked = began + timedelta(seconds=41), began + timedelta(seconds=52)
    times = IncidentTimes(None, began, began, opened, checked, checked)
    words = "was down for 41 s from the start of the run; RTO 2 h: met"
    assert times.words(checked, 7200) == f"{words}, 52 s until its checks passed"
    assert replace(times, back_at=opened).words(checked, 7200) == words


def test_the_line_of_every_command_counts_as_the_status_does(world: World) -> None:
    opened(world)
    followed(world, joined(found_target(), Output(quiet=True), Request("db"), dry_run=False))
    clock = next(line for line in world.call("status").splitlines() if line.startswith("Clock: "))
    said = reminder(found_target())
    assert clock.removeprefix("Clock: ") in said
    assert "is not closed; service is restored: was down for" in said
