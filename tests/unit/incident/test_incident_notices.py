"""The notices of an incident as people send them: at the right time, once, and only while they are true."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from incident_world import World, opened, web_space, with_contacts

from scripted_mail import CUT
from uscdr.cli import main
from uscdr.commands.incident_notices import NoticeDesk

CANARIES = ("Ana Cruz is patient 10442", "diagnosed with asthma", "ghp_abcdefghij0123456789", "ana.cruz@x.example")


def test_the_clock_of_notices_from_the_detection_to_the_restoration(world: World) -> None:
    opened(world)
    assert "down for 40 min from the outage, 2026-11-28 02:10 UTC; RTO 2 h: 1 h 20 min left" in world.call("status")
    assert world.call("check") == "Nothing is overdue.\n"
    world.pass_by(minutes=16)
    assert "first notice to the team overdue for 1 min" in world.call("check", code=1)
    world.call("update", "--expected", "03:25-03:40")
    world.call("notify", "--send")
    assert [to for to, _, _ in world.mails()] == ["ben@clinic.example", "u1@x.example", "u2@x.example"]
    assert len(world.chat.posts) == 1
    internal, users, _ = world.mails()
    assert internal[1] == "[critical] usc-pis is down: the database is damaged"
    assert "Expected back: 2026-11-28 03:25 to 03:40 UTC" in users[2]
    assert "the nurse on duty" in users[2]
    assert "database" not in users[2]
    world.pass_by(minutes=24)
    world.call("notify", "--send")
    assert "No notice is due now: update to the team due in 6 min" in world.err
    world.pass_by(minutes=7)
    assert "update to the team overdue for 1 min" in world.call("check", code=1)
    world.call("notify", "--send", "--message", "The restore runs.")
    assert [subject for _, subject, _ in world.mails()[3:]] == [
        "[update] usc-pis is still down: the database is damaged", *["usc-pis is still unavailable"] * 2,
    ]  # fmt: skip
    world.call("resolve", "--summary", "a disk of the platform failed")
    world.pass_by(minutes=10)
    world.call("notify", "--send")
    *_, last = world.mails()
    assert last[1] == "usc-pis is available again"
    assert "We apologise" in last[2]
    assert "a disk of the platform failed" in last[2]
    world.call("notify", "--send")
    assert (len(world.mails()), len(world.chat.posts)) == (9, 3)
    assert "Due:" not in world.call("status")


def test_a_text_is_shown_and_not_sent_without_a_confirmation(world: World) -> None:
    opened(world)
    shown = world.call("notify", code=4)
    assert "Subject: [critical] usc-pis is down" in shown
    assert "uscdr incident notify --send" in world.err
    assert "Subject:" in world.call("notify", "--show")
    world.call("notify", "--stage", "update", "--to", "users", code=4)
    assert "uscdr incident notify --send --stage update --to users" in world.err
    assert world.mails() == []


def test_showing_sends_nothing_of_what_waits(world: World) -> None:
    opened(world)
    world.chat.answers = [(400, {})]
    world.call("notify", "--send", "--to", "internal", code=3)
    world.chat.answers = [(200, {})]
    world.call("notify", "--show", "--stage", "update", "--to", "internal")
    assert world.chat.posts == []


def test_no_notice_says_that_service_is_back_before_it_is_recorded_nor_down_after_it(world: World) -> None:
    opened(world)
    for how in (("--send",), ("--show",), ("--by-hand", "by telephone")):
        world.call("notify", "--stage", "completion", *how, code=2)
        assert "uscdr incident resolve" in world.err
    world.call("resolve")
    for stage in ("first", "update"):
        world.call("notify", "--stage", stage, "--send", code=2)
        assert "--down-again" in world.err
    assert (world.mails(), world.chat.posts) == ([], [])
    world.call("notify", "--stage", "completion", "--send")
    assert len(world.mails()) == 3


def test_what_was_told_by_hand_concerns_everybody_unless_a_group_is_named(world: World) -> None:
    opened(world)
    world.call("notify", "--by-hand", "called", "--send", code=2)
    assert "sends and shows nothing" in world.err
    world.call("notify", "--stage", "first", "--by-hand", "called")
    assert "first notice" not in world.call("status").replace("Told (first", "")


def test_long_and_unprintable_words_do_not_keep_a_notice_from_people(world: World) -> None:
    what = "the disk of the database \x1b[31mfails\x07 " + "again and " * 60
    world.call("open", "--what", what)
    world.call("notify", "--send")
    (subject,) = {subject for _, subject, _ in world.mails() if "is down" in subject}
    assert len(subject) <= 200
    assert subject.endswith("…")
    assert "the disk of the database [31mfails again and again" in world.mails()[0][2].replace("\n", " ")
    world.call("actions", "--add", "Within 24 h: alert\n# on \x1b[31mfull disks")
    assert "alert # on [31mfull disks" in world.call("actions")


def test_that_service_is_back_is_not_sent_late_while_it_is_down_again(world: World) -> None:
    opened(world)
    world.call("resolve")
    world.chat.answers = [(400, {})]
    world.call("notify", "--send", "--to", "internal", code=3)
    world.chat.answers = [(200, {})]
    world.call("update", "--down-again", "errors again")
    world.call("status")
    assert world.chat.posts == []
    world.call("resolve")
    world.call("notify", "--send", "--to", "internal")
    assert world.chat.posts


@pytest.mark.parametrize("canary", CANARIES)
def test_patients_data_and_secrets_do_not_leave_in_notes_messages_and_templates(world: World, canary: str) -> None:
    opened(world)
    for command in (
        ("note", canary), ("notify", "--send", "--message", canary), ("notify", "--send", "--summary", canary),
        ("notify", "--by-hand", canary), ("update", "--what", canary), ("resolve", "--summary", canary),
        ("review", "--answer", f"lessons={canary}"), ("actions", "--add", canary),
    ):  # fmt: skip
        world.call(*command, code=2)
        assert canary not in world.err
    templates = Path("config/uscdr/templates")
    templates.mkdir()
    (templates / "internal-first.txt.j2").write_text(f"Subject: down\n\n{canary}\n")
    world.call("notify", "--send", "--to", "internal", code=2)
    assert canary not in world.everything()
    assert "planted" not in world.everything()


def test_what_is_not_accepted_waits_and_what_is_refused_is_said(world: World) -> None:
    opened(world)
    world.chat.answers = [(429, {"Retry-After": "120"}), (200, {})]
    world.mail.replies["RCPT"] = ["250 ok", "550 no such user", "250 ok"]
    world.call("notify", "--send", code=3)
    assert "waits for chat" in world.err
    assert "mail refused 1 address for good" in world.err
    world.call("notify", "--send", code=3)
    assert world.chat.posts == []
    world.pass_by(minutes=3)
    world.call("notify", "--send")
    assert len(world.chat.posts) == 1
    assert [to for to, _, _ in world.mails()] == ["ben@clinic.example", "u2@x.example"]


@pytest.mark.parametrize("command", [("status",), ("note", "the platform answers"), ("check",)])
def test_the_next_command_sends_what_waits(world: World, command: tuple[str, ...]) -> None:
    opened(world)
    world.chat.answers = [(400, {})]
    world.call("notify", "--send", "--to", "internal", code=3)
    assert world.chat.posts == []
    world.chat.answers = [(200, {})]
    world.call(*command)
    assert len(world.chat.posts) == 1
    world.call("status")
    assert len(world.chat.posts) == 1


def test_that_service_is_down_is_not_said_any_more_once_it_is_restored(world: World) -> None:
    opened(world)
    world.chat.answers = [(400, {})]
    world.call("notify", "--send", "--to", "internal", code=3)
    world.chat.answers = [(200, {})]
    world.call("resolve")
    world.call("status")
    assert world.chat.posts == []
    world.call("notify", "--send", "--to", "internal")
    assert ["restored" in str(one) for one in world.chat.posts] == [True]


def test_a_newer_text_takes_the_place_of_one_that_waits(world: World) -> None:
    opened(world)
    world.chat.answers = [(400, {})]
    world.call("notify", "--send", "--to", "internal", code=3)
    world.chat.answers = [(200, {})]
    world.call("notify", "--send", "--to", "internal", "--stage", "update")
    assert len(world.chat.posts) == 1


def test_a_check_says_what_is_true_after_what_waited_was_sent(world: World) -> None:
    opened(world)
    world.chat.answers = [(400, {})]
    world.call("notify", "--send", "--to", "internal", code=3)
    world.pass_by(minutes=16)
    world.chat.answers = [(200, {})]
    world.call("notify", "--by-hand", "called", "--to", "users")
    assert world.call("check", code=0) == "Nothing is overdue.\n"


def test_a_lost_answer_is_named_asked_and_not_repeated(world: World) -> None:
    opened(world)
    world.mail.replies["."] = [CUT]
    world.call("notify", "--send", "--to", "internal", code=3)
    assert "IN DOUBT: notice n1 may have arrived over mail" in world.err
    assert "uscdr incident settle n1 mail sent (or: not-sent)" in world.call("status")
    assert "notice n1 may have arrived over mail" in world.call("check", code=1)
    world.mail.replies["."] = ["250 ok"]
    world.call("notify", "--send", "--to", "internal")
    assert len(world.mail.messages) == 1
    world.call("settle", "n1", "mail", "not-sent")
    world.call("notify", "--send", "--to", "internal")
    assert len(world.mail.messages) == 2
    world.call("settle", "n1", "mail", "sent", code=1)


def test_without_a_list_the_notice_says_where_one_comes_from(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(world)
    monkeypatch.delenv("USCDR_AGE_IDENTITY")
    for path in Path("config/uscdr").glob("audience*"):
        path.unlink()
    world.call("notify", "--send", "--to", "internal", code=3)
    assert "There is no list of recipients" in world.err
    assert "uscdr incident audience import" in world.err


def test_without_the_key_of_the_list_chats_still_hear_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(world)
    key = Path(str(world.state.parent / "shop" / "identity.txt"))
    monkeypatch.delenv("USCDR_AGE_IDENTITY")
    world.call("notify", "--send", "--to", "internal", code=3)
    assert "--identity FILE" in world.err
    assert (len(world.chat.posts), world.mails()) == (1, [])
    found = next(path for path in (key, *world.state.parent.rglob("*.txt")) if b"AGE-SECRET" in path.read_bytes())
    world.call("notify", "--send", "--to", "internal", "--identity", str(found))
    assert (len(world.chat.posts), len(world.mails())) == (1, 1)


def test_the_maintenance_page_shows_each_notice_to_users_and_then_goes_back(world: World, tmp_path: Path) -> None:
    config = tmp_path / "config" / "uscdr" / "scenarios.yaml"
    with web_space(tmp_path / "web") as address:
        settings = f'maintenance_page: {{url: "{address}/down.html", to: {tmp_path}/web/down.html, cache_seconds: 0}}\n'
        config.write_text(config.read_text() + settings)
        page = tmp_path / "web" / "down.html"
        opened(world)
        world.call("notify", "--send", "--to", "internal")
        assert not page.exists()
        world.call("update", "--expected", "03:25-03:40")
        world.call("notify", "--send", "--to", "users")
        assert "is temporarily unavailable" in page.read_text()
        assert "03:25" in page.read_text()
        world.pass_by(minutes=31)
        world.call("notify", "--send", "--to", "users", "--message", "A disk is replaced.")
        assert "A disk is replaced." in page.read_text()
        world.call("resolve")
        assert "unavailable" not in page.read_text()
        assert "A disk" not in page.read_text()
        normal = page.read_text()
        world.call("notify", "--send")
        assert page.read_text() == normal


def test_a_drill_of_the_notices_stays_here_and_is_recorded_once_everybody_acknowledged(
    world: World, tmp_path: Path
) -> None:
    world.drill("comms", code=2)
    with_contacts(tmp_path)
    shown = world.drill("comms", "--ack", "Ada Reyes=4", code=1)
    assert shown.count("Subject: [DRILL] ") == 6
    assert "1 of 2 contacts acknowledged: Ada Reyes after 4 min" in shown
    assert "Ben Cruz did not acknowledge" in world.err
    assert "Ben Cruz acknowledged after more than 15 min" in (
        world.drill("comms", "--ack", "Ada Reyes", "--ack", "Ben Cruz=16", code=1) + world.err
    )
    world.drill("comms", "--ack", "Nobody", code=2)
    assert "communication-review" in world.drill("due", code=1)
    world.drill("comms", "--ack", "Ada Reyes=4", "--ack", "Ben Cruz=9")
    assert "2 of 2 contacts" in world.drill("list")
    line = next(one for one in world.drill("due", code=1).splitlines() if "communication-review" in one)
    assert "done" in line
    world.call("status", code=2)
    assert "closed" in world.call("list")


def test_the_impact_is_part_of_notices_and_report(world: World) -> None:
    opened(world)
    assert "Impact: critical infrastructure (healthcare operations" in world.call(
        "notify", "--show", "--to", "internal"
    )
    assert "healthcare operations" in world.call("report")


def test_what_a_full_hour_left_over_is_sent_later(world: World, tmp_path: Path) -> None:
    config = tmp_path / "config" / "uscdr" / "scenarios.yaml"
    config.write_text(config.read_text().replace("security: none,", "security: none, per_hour: 1, batch: 1,"))
    opened(world)
    world.call("notify", "--send", "--to", "users", code=3)
    assert "The limit of messages in an hour is reached" in world.err
    assert [to for to, _, _ in world.mails()] == ["u1@x.example"]
    world.call("status")
    assert len(world.mails()) == 1
    world.pass_by(minutes=61)
    world.call("status")
    assert [to for to, _, _ in world.mails()] == ["u1@x.example", "u2@x.example"]
    world.pass_by(minutes=61)
    world.call("status")
    assert len(world.mails()) == 2


def test_a_list_with_another_key_sends_nothing_again(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(world)
    world.mail.replies["RCPT"] = ["250 ok", "451 later"]
    world.call("notify", "--send", "--to", "users", code=3)
    assert len(world.mails()) == 1
    for name in ("audience.age", "audience.json"):
        (tmp_path / "config" / "uscdr" / name).unlink()
    world.call("audience", "import", "--from", "users.txt", "--group", "users")
    world.mail.replies["RCPT"] = ["250 ok"]
    world.call("notify", "--send", "--to", "users", code=3)
    assert "cannot tell who got the notice" in world.err
    assert len(world.mails()) == 1


def test_a_notice_that_somebody_else_wrote_meanwhile_is_not_written_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one operator reads the text, another confirms the same notice in another terminal."""
    opened(world)
    shown = NoticeDesk._show

    def slowly(desk: NoticeDesk, *told: Any) -> None:
        monkeypatch.setattr(NoticeDesk, "_show", shown)
        main.run(["incident", "notify", "--send", "--to", "internal", "--stage", "first"])
        shown(desk, *told)

    monkeypatch.setattr(NoticeDesk, "_show", slowly)
    world.call("notify", "--send", "--to", "internal", "--stage", "first")
    assert "Somebody else wrote the first notice to the team meanwhile. uscdr sent nothing." in world.err
    assert [to for to, _, _ in world.mails()] == ["ben@clinic.example"]
    assert len(world.chat.posts) == 1


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("30 min-45 min", "2026-11-28 03:20 to 03:35 UTC"), ("1h", "2026-11-28 03:50 UTC"),
        ("23:50-00:10", "2026-11-28 23:50 UTC to 2026-11-29 00:10 UTC"), ("2026-11-28T03:30Z", "2026-11-28 03:30 UTC"),
    ],
)  # fmt: skip
def test_when_service_is_expected_back_may_be_typed_as_people_say_it(world: World, typed: str, shown: str) -> None:
    opened(world)
    world.call("update", "--expected", typed)
    assert f"Expected back: {shown}" in world.call("status")
