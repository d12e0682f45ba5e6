"""The journal on a real disk: what was written is read; what was damaged is refused with its place."""

from __future__ import annotations

import errno
import json
import os
import resource
import stat
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uscdr.errors import ExitCode, JournalError, MachineError
from uscdr.journal import chain, writer
from uscdr.journal.chain import FIRST
from uscdr.journal.reader import ForeignJournal, Journal
from uscdr.models.events import Note, RunStarted, Stamped


def begun(text: str) -> RunStarted:
    return RunStarted(
        scenario="db", target="t", app="a", request={}, version="0", user=text, host="h", scenario_digest="d",
        rto_seconds=1, rpo_seconds=1,
    )  # fmt: skip


def stamped(seq: int, text: str) -> Stamped:
    """The first one says it as the user's name: every journal begins with who began the run."""
    event = Note(level="info", text=text) if seq else begun(text)
    return Stamped(run="run", seq=seq, at=datetime(2026, 11, 23, tzinfo=UTC), mono=0.5, event=event)


def written(place: Path, *texts: str) -> Path:
    ledger = writer.JournalWriter.create(place)
    for number, text in enumerate(texts):
        ledger.record(stamped(number, text))
    ledger.close()
    return ledger.path


def texts(path: Path) -> list[str]:
    return [str(event.get("text", event.get("user"))) for event in Journal.read(path).events()]


@settings(max_examples=40, deadline=None)
@given(words=st.lists(st.text(st.characters(codec="utf-8"), max_size=40), min_size=1, max_size=5))
def test_round_trip(words: list[str]) -> None:
    with TemporaryDirectory() as place:
        _round_trip(words, Path(place))


def _round_trip(words: list[str], place: Path) -> None:
    path = written(place / "run", *words)
    journal = Journal.read(path)
    assert list(texts(path)) == words
    assert (journal.torn_bytes, journal.good_bytes) == (0, path.stat().st_size)
    again, _ = writer.JournalWriter.reopen(path)
    again.record(stamped(len(words), "more"))
    again.close()
    assert texts(path) == [*words, "more"]


def test_reopening_goes_on_with_the_chain(tmp_path: Path) -> None:
    path = written(tmp_path / "run", "a", "b")
    ledger, journal = writer.JournalWriter.reopen(path)
    assert ledger.last_hash == journal.last_hash
    ledger.record(stamped(2, "c"))
    assert Journal.read(path).last_hash == ledger.last_hash
    ledger.close()
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert next(line["prev"] for line in lines) == FIRST
    assert len({line["prev"] for line in lines}) == 3
    assert Journal.read(path).run == "run"


def test_only_the_owner_can_read(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = written(tmp_path / "state" / "runs" / "run", "a")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for directory in (path.parent, path.parent.parent, tmp_path / "state"):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700, directory


def test_a_journal_is_never_begun_twice(tmp_path: Path) -> None:
    path = written(tmp_path / "run", "a")
    with pytest.raises(JournalError, match="uscdr cannot write the journal"):
        writer.JournalWriter.create(tmp_path / "run")
    assert texts(path) == ["a"]


def test_a_tail_torn_at_any_byte_is_dropped_and_reported(quick: Path) -> None:
    path = written(quick / "run", "first", "second: ünï", "third")
    whole = path.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for cut in range(last, len(whole)):
        path.write_bytes(whole[:cut])
        journal = Journal.read(path)
        assert (len(journal.records), journal.torn_bytes) == (2, cut - last)
        ledger, _ = writer.JournalWriter.reopen(path)
        ledger.record(stamped(2, "again"))
        ledger.close()
        assert texts(path) == ["first", "second: ünï", "again"]


def test_one_flipped_bit_anywhere_is_refused_with_its_place(quick: Path) -> None:
    path = written(quick / "run", "first", "second", "third")
    whole = path.read_bytes()
    starts = [0, *(i + 1 for i, byte in enumerate(whole) if byte == 0x0A)]
    for place in range(len(whole)):
        for bit in range(8) if place >= starts[2] else (place % 8,):
            data = bytearray(whole)
            data[place] ^= 1 << bit
            path.write_bytes(bytes(data))
            with pytest.raises(JournalError) as refused:
                Journal.read(path)
            line = max(number for number, start in enumerate(starts, start=1) if start <= place)
            assert f"line {line} (byte {starts[line - 1]})" in refused.value.message, (place, bit)
            assert refused.value.exit_code is ExitCode.FAILED


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda lines: [lines[1], lines[0], lines[2]], "line 1"),
        (lambda lines: [lines[0], lines[2]], "line 2"),
        (lambda lines: lines[1:], "line 1"),
        (lambda lines: [*lines, lines[2]], "line 4"),
        (lambda lines: [b"[]\n", *lines], "line 1"),
        (lambda lines: [b'{"prev":1}\n', *lines], "line 1"),
        (lambda lines: [b"\xff\xfe\n", *lines], "line 1"),
        (lambda lines: [b"\0" * 4096 + b"\n", *lines], "line 1"),
        (lambda lines: [b"\n", *lines], "line 1"),
    ],
)
def test_lines_out_of_place_are_refused(tmp_path: Path, spoil: Callable[[list[bytes]], list[bytes]], says: str) -> None:
    path = written(tmp_path / "run", "a", "b", "c")
    path.write_bytes(b"".join(spoil(path.read_bytes().splitlines(keepends=True))))
    with pytest.raises(JournalError, match=says):
        Journal.read(path)
    with pytest.raises(JournalError, match=says):
        writer.JournalWriter.reopen(path)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (chain.encode({"seq": 0, "event": {"kind": "note"}}, "x" * 64), "hash of the line before"),
        (chain.encode({"seq": 0, "event": 1}, FIRST), "not a journal record"),
        (chain.encode({"seq": 0}, FIRST), "not a journal record"),
        (b'nonsense,"sum":"%08x"}\n' % zlib.crc32(b"nonsense"), "not JSON"),
    ],
)
def test_whole_lines_that_are_no_record_of_ours_are_refused(tmp_path: Path, line: bytes, says: str) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(line)
    with pytest.raises(JournalError, match=says):
        Journal.read(path)


def test_a_line_edited_with_a_right_hash_but_another_number_is_refused(tmp_path: Path) -> None:
    ledger = writer.JournalWriter.create(tmp_path / "run")
    ledger.record(stamped(0, "a").model_copy(update={"seq": 5}))
    ledger.close()
    with pytest.raises(JournalError, match="sequence number is 5 instead of 0"):
        Journal.read(ledger.path)


def test_a_journal_has_its_name_with_its_first_line_and_leaves_nothing_without(tmp_path: Path) -> None:
    ledger = writer.JournalWriter.create(tmp_path / "run")
    assert not ledger.path.exists()
    ledger.record(stamped(0, "a"))
    assert texts(ledger.path) == ["a"]
    ledger.close()
    writer.JournalWriter.create(tmp_path / "none").close()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("data", [b"", b'{"prev"', b'{"prev":"0"}'])
def test_a_journal_without_a_first_line_has_lost_it(tmp_path: Path, data: bytes) -> None:
    path = written(tmp_path / "run", "a")
    path.write_bytes(data)
    with pytest.raises(JournalError, match="cannot read the journal") as refused:
        Journal.read(path)
    assert "uscdr runs show run" in refused.value.next_action


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"journal\.jsonl"):
        Journal.read(tmp_path / "journal.jsonl")
    with pytest.raises(JournalError) as refused:
        Journal.read(tmp_path)
    assert refused.value.why == "it is a directory"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(JournalError, match="pipe"):
        Journal.read(tmp_path / "pipe")


def foreign(*events: dict[str, Any], **envelope: Any) -> bytes:
    """Whole lines in a right chain, whatever they say."""
    previous, lines = FIRST, b""
    for seq, event in enumerate(events):
        record = {"run": "run", "seq": seq, "at": "2026-11-23T00:00:00Z", "mono": 0.5, "event": event, **envelope}
        line = chain.encode(record, previous)
        previous, lines = chain.line_hash(line), lines + line
    return lines


FIRST_LINE = begun("ada").model_dump(mode="json")
STARTED = {"kind": "step.started", "step": "s", "title": "t", "phase": "p", "effect": "once"}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (foreign({**FIRST_LINE, "rto_seconds": "soon"}), "line 1: event.run.started.rto_seconds"),
        (foreign({**FIRST_LINE, "rto_seconds": -1}), "line 1: event.run.started.rto_seconds"),
        (foreign({**FIRST_LINE, "rto_seconds": float("nan")}), "line 1"),
        (foreign({**FIRST_LINE, "rto_seconds": 10**400}), "line 1"),
        (foreign({**FIRST_LINE, "request": None}), "line 1: event.run.started.request"),
        (foreign({**FIRST_LINE, "new": "field"}), "line 1: event.run.started.new"),
        (foreign(FIRST_LINE, {"kind": "step.danced", "step": "s"}), "line 2: event"),
        (foreign(FIRST_LINE, {**STARTED, "attempt": -1}), "line 2: event.step.started.attempt"),
        (foreign(FIRST_LINE, {**STARTED, "baseline": 7}), "line 2: event.step.started.baseline"),
        (foreign(FIRST_LINE, FIRST_LINE), "line 2: run.started"),
        (foreign({"kind": "note", "level": "info", "text": "x"}), "line 1: note"),
        (foreign(FIRST_LINE, run="another"), "line 1 belongs to run another"),
        (foreign(FIRST_LINE, at=5), "line 1: at"),
        (foreign(FIRST_LINE, at="2026-11-23T00:00:00"), "line 1: at"),
        (foreign(FIRST_LINE, at="9999-12-31T23:59:59Z"), "line 1: at"),
        (foreign(FIRST_LINE, mono="x"), "line 1: mono"),
    ],
)
def test_a_right_chain_with_foreign_contents_is_bad_input(tmp_path: Path, data: bytes, says: str) -> None:
    path = written(tmp_path / "run", "a")
    path.write_bytes(data)
    with pytest.raises(ForeignJournal) as refused:
        Journal.read(path)
    assert f"({says}" in refused.value.message
    assert refused.value.exit_code is ExitCode.BAD_INPUT


def test_a_name_that_is_no_utf8_is_no_foreign_one(tmp_path: Path) -> None:
    assert texts(written(tmp_path / "run", "ad\udce4")) == ["ad\udce4"]


def test_what_a_line_leaves_out_is_there_by_default(tmp_path: Path) -> None:
    path = written(tmp_path / "run", "a")
    path.write_bytes(
        foreign(FIRST_LINE, STARTED, {"kind": "step.succeeded", "step": "s", "seconds": 1, "summary": "x"})
    )
    _, begun_step, done = Journal.read(path).events()
    assert (begun_step["attempt"], begun_step["baseline"], done["result"], done["name"]) == (1, {}, {}, "")


def test_what_stands_before_a_damage_can_be_looked_at(tmp_path: Path) -> None:
    path = written(tmp_path / "run", "a", "b", "c")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"nonsense\n" + lines[2])
    found = Journal.salvage(path)
    assert found.damage is not None
    assert (len(found.records), found.good_bytes) == (1, len(lines[0]))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("name", ["write", "fsync"])
def test_a_failed_write_is_final(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, number: int) -> None:
    ledger = writer.JournalWriter.create(tmp_path / "run")
    ledger.record(stamped(0, "a"))
    real = getattr(os, name)

    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, name, fail)
    with pytest.raises(JournalError) as failed:
        ledger.record(stamped(1, "b"))
    assert failed.value.why == os.strerror(number)
    monkeypatch.setattr(os, name, real)
    with pytest.raises(JournalError, match="uscdr cannot write the journal"):
        ledger.record(stamped(1, "b"))
    ledger.close()
    assert texts(ledger.path) == ["a"]
    assert Journal.read(ledger.path).torn_bytes == 0


def test_a_journal_its_name_and_its_directorys_name_outlive_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, synced = writer.JournalWriter.create(tmp_path / "run"), list[int]()
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    ledger.record(stamped(0, "a"))
    durable = [one.stat().st_ino for one in (ledger.path, tmp_path / "run", tmp_path)]
    assert synced == durable
    ledger.record(stamped(1, "b"))
    assert synced == [*durable, ledger.path.stat().st_ino]
    ledger.close()


def test_short_writes_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = writer.JournalWriter.create(tmp_path / "run")
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data)[:3]))
    ledger.record(stamped(0, "a rather long text"))
    monkeypatch.undo()
    ledger.close()
    assert texts(ledger.path) == ["a rather long text"]


def test_a_short_write_then_an_error_whose_tail_cannot_be_cut_off_is_a_torn_tail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = writer.JournalWriter.create(tmp_path / "run")
    ledger.record(stamped(0, "a"))
    real = os.write
    sent: list[int] = []

    def once(descriptor: int, data: bytes) -> int:
        if sent:
            raise OSError(errno.ENOSPC, "No space left on device")
        sent.append(1)
        return real(descriptor, bytes(data)[:7])

    def refuse(descriptor: int, length: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "write", once)
    monkeypatch.setattr(os, "ftruncate", refuse)
    with pytest.raises(JournalError):
        ledger.record(stamped(1, "b"))
    monkeypatch.undo()
    ledger.close()
    journal = Journal.read(ledger.path)
    assert (len(journal.records), journal.torn_bytes) == (1, 7)


def _fill(place: str, answer: object) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1700, resource.RLIM_INFINITY))
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    ledger = writer.JournalWriter.create(Path(place))
    written_lines = 0
    try:
        for number in range(100):
            ledger.record(stamped(number, "x" * 50))
            written_lines += 1
    except JournalError as error:
        answer.put((written_lines, error.why))  # type: ignore[attr-defined]


def test_a_real_limit_on_the_file_leaves_whole_lines_only(tmp_path: Path) -> None:
    context = get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=_fill, args=(str(tmp_path / "run"), answer))
    process.start()
    lines, why = answer.get(timeout=30)
    process.join()
    assert "too large" in why
    journal = Journal.read(tmp_path / "run" / "journal.jsonl")
    assert (len(journal.records), journal.torn_bytes) == (lines, 0)
    assert lines > 0


@pytest.mark.parametrize("name", ["open", "fsync"])
def test_a_journal_that_cannot_be_begun_or_reopened_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = written(tmp_path / "old" / "run", "a")

    def fail(*_: object, **__: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, name, fail)
    with pytest.raises(JournalError, match="uscdr cannot write the journal"):
        writer.JournalWriter.create(tmp_path / "new").record(stamped(0, "a"))
    with pytest.raises(JournalError, match=r"cannot (write|read)"):
        writer.JournalWriter.reopen(path)


def test_a_state_directory_that_is_a_file_is_this_machines_fault(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("not a directory")
    with pytest.raises(MachineError, match="cannot use the state directory"):
        writer.JournalWriter.create(tmp_path / "state" / "runs" / "run")
