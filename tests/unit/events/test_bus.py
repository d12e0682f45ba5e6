"""One stream: numbered without gaps, without secrets, first to the ledgers, then to whoever can still listen."""

from __future__ import annotations

import base64
import errno
import threading
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uscdr import clock
from uscdr.errors import JournalError
from uscdr.events import Bus
from uscdr.models.events import GateAsked, Note, RunFinished, Stamped, StepProgress, StepSucceeded
from uscdr.redaction import Redactor

FAILED = "A screen, or what tells the incident, failed ({}) and gets nothing more; the run continues."


class Shelf:
    """A ledger in memory that can break."""

    def __init__(self) -> None:
        self.kept: list[Stamped] = []
        self.broken = False

    def record(self, stamped: Stamped) -> None:
        if self.broken:
            raise JournalError("The disk is full.")
        self.kept.append(stamped)


def note(text: str) -> Note:
    return Note(level="info", text=text)


def bus(*secrets: tuple[str, str], first: int = 0) -> tuple[Bus, Shelf, list[Stamped]]:
    redactor, shelf = Redactor(), Shelf()
    shown: list[Stamped] = []
    for name, value in secrets:
        redactor.register(name, value)
    made = Bus("r", redactor, first_seq=first)
    made.add_ledger(shelf)
    made.add_viewer(shown.append)
    return made, shelf, shown


def test_numbers_have_no_gap_and_progress_has_none() -> None:
    made, shelf, shown = bus(first=7)
    made.emit(note("a"))
    made.emit(StepProgress(step="s", note="half"))
    made.emit(note("b"))
    assert [one.seq for one in shelf.kept] == [7, 8]
    assert [one.seq for one in shown] == [7, None, 8]
    assert shown[0].mono <= shown[-1].mono
    assert shown[0].at.tzinfo is not None


def test_numbers_have_no_gap_when_threads_speak_at_once() -> None:
    made, shelf, _ = bus()
    threads = [threading.Thread(target=lambda: [made.emit(note("x")) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.seq for one in shelf.kept] == list(range(200))


def test_a_ledger_that_fails_stops_everything_and_the_number_is_not_used() -> None:
    made, shelf, shown = bus()
    shelf.broken = True
    with pytest.raises(JournalError):
        made.emit(note("lost"))
    assert shown == []
    shelf.broken = False
    assert made.emit(note("kept")).seq == 0


@pytest.mark.parametrize(
    "error", [OSError("closed"), BrokenPipeError(), ValueError("closed file"), RuntimeError("a defect"), KeyError("k")]
)
def test_a_viewer_that_fails_is_not_asked_again_disturbs_nobody_and_is_told_of(error: Exception) -> None:
    made, shelf, shown = bus()
    asked: list[Stamped] = []

    def fail(stamped: Stamped) -> None:
        asked.append(stamped)
        raise error

    made._viewers.insert(0, fail)
    made.emit(note("a"))
    made.emit(note("b"))
    assert len(asked) == 1
    said = [getattr(one.event, "text", "") for one in shelf.kept]
    assert said == ["a", FAILED.format(type(error).__name__), "b"]
    assert [one.seq for one in shelf.kept] == [0, 1, 2]
    assert shown == shelf.kept


def test_a_viewer_that_fails_at_the_end_leaves_the_end_the_last_word() -> None:
    made, shelf, _ = bus()

    def full(stamped: Stamped) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    made.add_viewer(full)
    made.emit(RunFinished(outcome="done", exit_code=0, summary="Done."))
    assert [one.event.kind for one in shelf.kept] == ["run.finished"]
    made.add_viewer(full)
    made.emit(note("a"))
    assert [getattr(one.event, "text", "") for one in shelf.kept[1:]] == ["a", FAILED.format("No space left on device")]


SECRET = "s3cr3t/t0ken+with&odd=chars"


@pytest.mark.parametrize(
    "spelt",
    [
        SECRET,
        quote(SECRET, safe=""),
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(b":" + SECRET.encode()).decode(),
        base64.b64encode(b"u:" + SECRET.encode() + b"@").decode(),
        base64.urlsafe_b64encode(b"user:" + SECRET.encode()).decode(),
        f"postgres://u:{quote(SECRET, safe='')}@h/d",
        f"Authorization: Bearer {SECRET}",
    ],
)
def test_secrets_are_named_never_shown(spelt: str) -> None:
    made, shelf, shown = bus(("TOKEN", SECRET))
    made.emit(note(f"before {spelt} after"))
    made.emit(GateAsked(step="s", facts={"where": spelt}, phrase=spelt))
    made.emit(StepSucceeded(step="s", seconds=1, summary="", result={"deep": [{"er": spelt}]}))
    text = "".join(one.model_dump_json() for one in (*shelf.kept, *shown))
    assert spelt not in text
    assert SECRET not in text
    assert text.count("[TOKEN]") == 8
    assert "before " in text


@given(st.binary(min_size=6, max_size=40), st.binary(max_size=10), st.binary(max_size=10))
def test_a_secret_within_any_base64_is_found(secret: bytes, before: bytes, after: bytes) -> None:
    value = secret.hex()
    redactor = Redactor()
    redactor.register("S", value)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(before + value.encode() + after).decode()
        assert redactor.text(text) != text


@pytest.mark.parametrize("before", [0, 1, 2])
def test_a_secret_that_looks_otherwise_in_the_base64_of_urls_is_found_in_both(before: int) -> None:
    value = "??>>~~??>>~~??"
    redactor = Redactor()
    redactor.register("S", value)
    spelt = [encode(b"x" * before + value.encode()).decode() for encode in (base64.b64encode, base64.urlsafe_b64encode)]
    assert spelt[0] != spelt[1]
    for text in spelt:
        assert "[S]" in redactor.text(text)


def test_of_two_secrets_the_longer_one_is_named() -> None:
    made, shelf, _ = bus(("SHORT", "abcdef"), ("LONG", "abcdefghij"), ("TINY", "abc"))
    made.emit(note("abcdefghij abcdef abc"))
    assert "[LONG] [SHORT] abc" in shelf.kept[0].model_dump_json()


def test_numbers_and_nothing_pass_unchanged() -> None:
    redactor = Redactor()
    redactor.register("TOKEN", "123456")
    assert redactor.data({"a": [1, None, True, 123456, "x123456"], "b": ("123456",)}) == {
        "a": [1, None, True, 123456, "x[TOKEN]"],
        "b": ["[TOKEN]"],
    }


def test_events_move_on_by_the_clock_that_is_never_set(monkeypatch: pytest.MonkeyPatch) -> None:
    made, shelf, _ = bus()
    made.emit(note("before"))
    there = clock.running()
    monkeypatch.setattr(clock, "running", lambda: there + 90)
    made.emit(note("after"))
    before, after = shelf.kept
    assert (after.at - before.at).total_seconds() == pytest.approx(90, abs=5)
