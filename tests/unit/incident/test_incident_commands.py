"""`uscdr incident` as people call it: open, change, follow up, review, close."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from incident_world import World, found_target, opened, with_contacts

from uscdr.commands.incident_follow import joined
from uscdr.scenarios.adapters import Request
from uscdr.ui.console import Output


def test_an_incident_is_no_duplicate_of_itself_nor_of_a_drill(world: World, tmp_path: Path) -> None:
    with_contacts(tmp_path)
    opened(world)
    this = json.loads(world.call("status", "--json"))["incident"]
    world.call("close", "--duplicate-of", this, code=2)
    assert "no duplicate of itself" in world.err
    world.drill("comms", code=1)
    (other,) = {line.split()[0] for line in world.call("list").splitlines()} - {this}
    world.call("close", "--duplicate-of", other, code=2)
    assert "another target" in world.err
    assert "(down, " in world.call("status")


def test_two_incidents_do_not_close_each_other(world: World) -> None:
    opened(world)
    first = json.loads(world.call("status", "--json"))["incident"]
    world.call("resolve")
    world.call("open", "--what", "the same again")
    second = json.loads(world.call("status", "--json"))["incident"]
    world.call("close", "--incident", first, "--duplicate-of", second)
    world.call("close", "--incident", second, "--duplicate-of", first, code=2)
    assert "closed, and it was not finished" in world.err


def test_an_outage_does_not_begin_after_it_was_detected(world: World) -> None:
    opened(world)
    world.pass_by(minutes=10)
    world.call("update", "--since", "02:55", code=2)
    assert "after it was detected, 2026-11-28 02:50 UTC" in world.err


def test_a_change_of_actions_without_an_action_or_with_one_twice_is_refused(world: World) -> None:
    opened(world)
    world.call("resolve")
    world.call("actions", "--owner", "Ben", code=2)
    world.call("actions", "--done", "a1", "--drop", "a1", "--evidence", "seen", code=2)
    assert "named twice" in world.err
    world.call("actions", "--assign", "a1", "--owner", "Ben")


def test_closing_is_refused_with_the_list_until_all_is_answered(world: World) -> None:
    opened(world)
    world.call("close", code=1)
    assert "service is not restored" in world.err
    world.call("resolve")
    for stage in ("completion",):
        world.call("notify", "--send", "--stage", stage)
    world.call("close", code=1)
    left = [line for line in world.err.splitlines() if "is open" in line or "no answer" in line]
    actions = [json.loads(line)["action"] for line in world.call("actions", "--json").splitlines()]
    questions = [json.loads(line)["question"] for line in world.call("review", "--json").splitlines()]
    assert len(left) == len(actions) + len(questions)
    world.call("actions", *[part for one in actions[1:] for part in ("--done", one)], "--evidence", "seen by Ada")
    world.call("actions", "--drop", actions[0], code=2)
    world.call("actions", "--drop", actions[0], "--evidence", "a rehearsal only")
    world.call("review", *[part for one in questions[1:] for part in ("--answer", f"{one}=told in the meeting")])
    world.call("close", code=1)
    world.call("review", "--waive", f"{questions[0]}=nothing was found")
    world.call("close")
    assert "closed" in world.call("list")
    world.call("status", code=2)


def test_an_overdue_action_is_shown_and_fails_the_check(world: World) -> None:
    opened(world)
    world.call("resolve")
    world.call("notify", "--send")
    world.pass_by(hours=23)
    assert world.call("check") == "Nothing is overdue.\n"
    world.pass_by(hours=2)
    assert "nobody owns it" in world.call("check", code=1)
    assert "OVERDUE" in world.call("actions")


def test_one_incident_at_a_time_and_wrong_input_is_refused(world: World) -> None:
    world.call("status", code=2)
    world.call("open", "--what", "x", "--severity", "huge", code=2)
    world.call("open", "--what", "x", "--since", "2026-11-28T03:00", code=2)
    opened(world)
    world.call("open", "--what", "again", code=2)
    assert "is open on this target" in world.err
    for wrong in (("notify", "--to", "all"), ("notify", "--stage", "last"), ("settle", "n1", "chat", "maybe"),
                  ("update",), ("update", "--expected", "02:10-02:20:99"), ("update", "--expected", "40m ago"),
                  ("actions", "--done", "a9"),
                  ("review", "--answer", "nothing=x"), ("status", "nothing")):  # fmt: skip
        world.call(*wrong, code=2)
        assert "Traceback" not in world.err


def test_down_again_reopens_the_clock(world: World) -> None:
    opened(world)
    world.call("notify", "--send")
    world.call("resolve")
    world.call("notify", "--send")
    world.pass_by(minutes=5)
    assert "(down, " in world.call("update", "--down-again", "errors again")
    world.pass_by(minutes=26)
    assert "update to the team overdue" in world.call("check", code=1)


def test_opening_names_what_is_not_ready(world: World) -> None:
    opened(world)
    assert "Finding: " in world.err
    assert "contacts" in world.err
    assert "2025-11-14" in world.err
    assert "MAINTENANCE_PAGE_URL" in world.err


def test_a_new_outage_opens_a_new_incident_beside_one_that_is_only_followed_up(world: World) -> None:
    opened(world)
    first = json.loads(world.call("status", "--json"))["incident"]
    world.call("resolve")
    world.pass_by(days=2)
    world.call("open", "--what", "errors of another kind")
    second = json.loads(world.call("status", "--json"))
    assert second["incident"] != first
    assert second["down_seconds"] < 60
    world.call("resolve")
    assert json.loads(world.call("status", "--json"))["incident"] == second["incident"]
    assert json.loads(world.call("status", first, "--json"))["state"] == "restored"


@pytest.mark.parametrize("editor", ["", "'", " "])
def test_without_an_editor_or_a_terminal_for_it_the_review_says_how_to_answer(
    world: World, monkeypatch: pytest.MonkeyPatch, editor: str
) -> None:
    opened(world)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", editor)
    world.call("review", "--editor", code=2)
    assert "uscdr incident review --answer ID=TEXT" in world.err


def test_the_review_is_written_in_an_editor(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(world)
    editor = tmp_path / "editor.sh"
    editor.write_text("#!/bin/sh\nsed -i '/^## lessons:/a Alert on failed\\nbackups.' \"$1\"\n")
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    world.call("review", "--editor")
    told = {one["question"]: one["answer"] for one in map(json.loads, world.call("review", "--json").splitlines())}
    assert told["lessons"] == "Alert on failed backups."
    assert [name for name, answer in told.items() if answer] == ["lessons"]
    editor.write_text("#!/bin/sh\nexit 3\n")
    world.call("review", "--editor", code=3)
    assert "--answer ID=TEXT" in world.err


def test_a_damaged_incident_is_shown_as_far_as_it_can_be_read_and_a_new_one_can_be_opened(world: World) -> None:
    opened(world)
    world.call("note", "the last line that can be read")
    world.call("note", "another one")
    (path,) = (world.state / "incidents").glob("*/journal.jsonl")
    path.write_bytes(path.read_bytes().replace(b"another", b"ANOTHER"))
    assert "the last line that can be read" in world.call("status", path.parent.name, code=3)
    assert "is damaged at line 3" in world.err
    world.call("status", code=3)
    assert "is damaged at line 3" in world.call("check", code=1)
    world.call("list")
    assert "is damaged at line 3" in world.err
    world.call("open", "--what", "the database is damaged")
    assert "It is kept, and a new incident is opened." in world.err
    new = json.loads(world.call("status", "--json"))["incident"]
    assert new != path.parent.name
    assert joined(found_target(), Output(quiet=True), Request("db"), dry_run=False).incident == new


def test_what_people_change_stands_in_the_timeline_and_long_notes_are_cut_in_the_status(world: World) -> None:
    opened(world)
    world.call("update", "--severity", "major", "--lead", "Ben", "--expected", "45m", "--since", "02:00")
    world.call("note", "a long word " * 40)
    status = world.call("status")
    for line in (
        "Severity: major",
        "Lead: Ben",
        "Service expected back by 2026-11-28 03:35 UTC",
        "… (whole in the report)",
    ):
        assert line in status
    assert "Since when is known: the outage began 2026-11-28 02:00 UTC" in status


def test_a_question_is_answered_or_waived_and_once(world: World) -> None:
    opened(world)
    world.call("review", "--answer", "cause=a disk", "--waive", "cause=nobody knows", code=2)
    assert "You answer or waive cause twice." in world.err
    assert "OPEN" in world.call("review")
