"""An incident's journal: one chain, many writers."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from ledgers import INCIDENT, T0, Clock, ledger, opened

from uscdr.errors import JournalError, MachineError
from uscdr.incident.ledger import IncidentJournal, incidents_here
from uscdr.incident.state import folded
from uscdr.models.incidents import NoteWritten, NoticeSending


def notes(place: Path) -> list[str]:
    return [one.event.text for one in IncidentJournal.read(place).records if isinstance(one.event, NoteWritten)]


def test_entries_come_back_in_order_with_who_and_when(tmp_path: Path) -> None:
    clock = Clock()
    book = ledger(tmp_path, clock=clock)
    book.append(opened())
    clock.pass_by(minutes=3)
    book.append(NoteWritten(text="called the clinic"))
    found = folded(book.records())
    assert (found.what, found.opened_at, found.opened_by) == ("the database is damaged", T0, "ada on ada-host")
    assert [(one.at, one.text) for one in found.notes] == [(clock.at, "called the clinic")]
    assert [path.parent.name for path in incidents_here(tmp_path / "ada")] == [INCIDENT]


def test_a_changed_byte_is_found_with_its_place(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    book.append(opened())
    book.append(NoteWritten(text="first"), NoteWritten(text="second"))
    whole = book.path.read_bytes()
    for place in range(0, len(whole) - 1, 7):
        book.path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        number = whole[:place].count(b"\n") + 1
        with pytest.raises(
            JournalError, match=rf"line {number} |uscdr cannot read|line {number - 1} |line {number + 1} "
        ):
            book.read()
    book.path.write_bytes(whole)
    assert len(book.read().records) == 3


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    book.append(opened())
    book.path.write_bytes(book.path.read_bytes() + b'{"prev":"torn')
    assert len(book.read().records) == 1
    book.append(NoteWritten(text="after it"))
    assert notes(book.path) == ["after it"]


def test_two_machines_write_one_chain(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    ada, ben = (ledger(tmp_path, name, shared=shared) for name in ("ada", "ben"))
    ada.append(opened())
    ben.append(NoteWritten(text="from ben"))
    ada.append(NoteWritten(text="from ada"))
    ben.sync()
    assert ada.path.read_bytes() == ben.path.read_bytes()
    assert notes(ben.path) == ["from ben", "from ada"]


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    shared, each = tmp_path / "shared", 8
    books = [ledger(tmp_path, name, shared=shared) for name in ("ada", "ben", "cyd")]
    books[0].append(opened())

    def write(number: int) -> None:
        for count in range(each):
            books[number].append(NoteWritten(text=f"{number}-{count}"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(len(books))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for book in books:
        book.sync()
    assert len({book.path.read_bytes() for book in books}) == 1
    wanted = {f"{number}-{count}" for number in range(len(books)) for count in range(each)}
    assert sorted(notes(books[0].path)) == sorted(wanted)


def test_what_the_team_cannot_take_waits_and_is_shared_later(tmp_path: Path) -> None:
    shared, told = tmp_path / "shared", list[str]()
    ada, ben = (ledger(tmp_path, name, shared=shared) for name in ("ada", "ben"))
    ada.append(opened())
    blocked = ledger(tmp_path, "ada", shared=tmp_path / "file" / "below")
    (tmp_path / "file").write_text("not a directory")
    object.__setattr__(blocked, "warn", told.append)
    blocked.append(NoteWritten(text="while it was away"))
    assert "cannot see this yet" in told[0]
    assert [one.text for one in folded(blocked.records()).notes] == ["while it was away"]
    ben.append(NoteWritten(text="meanwhile"))
    ada.sync()
    ben.sync()
    assert notes(ada.path) == notes(ben.path) == ["meanwhile", "while it was away"]
    ada.sync()
    assert notes(ada.path) == ["meanwhile", "while it was away"]


def test_an_intent_to_send_does_not_wait(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    ledger(tmp_path).append(opened())
    blocked = ledger(tmp_path, shared=tmp_path / "file" / "below")
    with pytest.raises(MachineError):
        blocked.append(NoticeSending(notice="n1", channel="chat"))
    assert not (blocked.directory / "waiting.jsonl").exists()


def test_lines_that_were_written_alone_are_appended_after_the_teams(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    ada, ben = (ledger(tmp_path, name, shared=shared) for name in ("ada", "ben"))
    ada.append(opened())
    ben.sync()
    ledger(tmp_path, "ada").append(NoteWritten(text="without the team"))
    ben.append(NoteWritten(text="with the team"))
    ada.sync()
    assert notes(ada.path) == ["with the team", "without the team"]
    ben.sync()
    assert ada.path.read_bytes() == ben.path.read_bytes()
    assert len(list(ada.directory.glob("aside-*"))) == 1


def test_an_incident_that_was_opened_alone_is_shared_later(tmp_path: Path) -> None:
    ledger(tmp_path, "ada").append(opened())
    shared = tmp_path / "shared"
    ledger(tmp_path, "ada", shared=shared).append(NoteWritten(text="now with the team"))
    ben = ledger(tmp_path, "ben", shared=shared)
    ben.sync()
    assert notes(ben.path) == ["now with the team"]


def test_what_ended_between_the_append_and_the_forgetting_is_not_appended_twice(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    book.append(opened())
    book.keep(NoteWritten(text="once"))
    waiting = (book.directory / "waiting.jsonl").read_bytes()
    book.append()
    (book.directory / "waiting.jsonl").write_bytes(waiting)
    book.append(NoteWritten(text="twice"))
    assert notes(book.path) == ["once", "twice"]
