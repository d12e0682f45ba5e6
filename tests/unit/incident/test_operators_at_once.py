"""Two operators on one incident at the same moment: each has a number of its own, nothing is lost or sent twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ledgers import INCIDENT, Clock, ledger, opened
from typing_extensions import override

from uscdr.errors import MachineError, ProviderError
from uscdr.incident.delivery import Addressee, Dispatch, Route
from uscdr.incident.ledger import ROOM, IncidentJournal, Ledger
from uscdr.incident.open_incidents import known_incidents
from uscdr.incident.state import Incident, folded
from uscdr.models.incidents import (
    ActionAdded,
    ActionChanged,
    Entry,
    NoteWritten,
    NoticeFailed,
    NoticePrepared,
    NoticeSending,
    NoticeSettled,
    Recorded,
)
from uscdr.providers.ports.notices import Letter
from uscdr.settings import Operator
from uscdr.shared.journals import JournalStore
from uscdr.store.directory import LocalStore

PEOPLE = tuple(Addressee(f"digest{number}", f"p{number}@clinic.example") for number in range(6))
Decide = Callable[[Ledger], str]


def notice(book: Ledger) -> str:
    """Prepare a notice as `uscdr incident notify` does; its number."""

    def decision(records: tuple[Recorded, ...]) -> Sequence[Entry]:
        number, by = folded(records).next_notice, book.who.user
        return [NoticePrepared(notice=number, stage="update", readers="users", subject=by, text=by, channels=("mail",),
                               recipients=len(PEOPLE))]  # fmt: skip

    (made,) = book.decide(decision)
    assert isinstance(made, NoticePrepared)
    return made.notice


def action(book: Ledger) -> str:
    """Add an action as `uscdr incident actions --add` does; its number."""
    (made,) = book.decide(
        lambda records: [
            ActionAdded(action=folded(records).next_action, title=book.who.user, due=None, origin="a person")
        ]
    )
    assert isinstance(made, ActionAdded)
    return made.action


class Meanwhile(LocalStore):
    """Another machine is faster: `then` runs once, after this one looked and before it writes."""

    then: Callable[[], object] | None = None

    @override
    def put_once(self, name: str, data: bytes) -> None:
        then, self.then = self.then, None
        if then is not None:
            then()
        super().put_once(name, data)


@dataclass
class Team:
    """Ada and Ben, each with a machine and a clock, at one incident."""

    place: Path
    clocks: dict[str, Clock] = field(default_factory=lambda: {"ada": Clock(), "ben": Clock()})

    def __post_init__(self) -> None:
        self.shared = self.place / "shared"
        self.ada, self.ben = (
            ledger(self.place, name, shared=self.shared, clock=at) for name, at in self.clocks.items()
        )
        self.ada.append(opened())
        self.ben.sync()

    def _ledger(self, name: str) -> Ledger:
        return ledger(self.place, name, shared=self.shared, clock=self.clocks[name])

    def pass_by(self, **span: float) -> None:
        for one in self.clocks.values():
            one.pass_by(**span)

    def slower(self, then: Callable[[], object]) -> Ledger:
        """Ada's ledger, which loses the race for the next line."""
        store = Meanwhile(self.shared)
        store.then = then
        shelf = JournalStore(store, ROOM)
        return Ledger(self.place / "ada", INCIDENT, Operator("ada", "ada-host", 1), shelf, now=self.clocks["ada"])

    def incident(self) -> Incident:
        """As both have it; their chains are whole, and the same as the team's."""
        for book in (self.ada, self.ben):
            book.sync()
        whole = JournalStore(LocalStore(self.shared), ROOM).journal(INCIDENT)
        for book in (self.ada, self.ben):
            assert book.path.read_bytes() == whole
            assert IncidentJournal.read(book.path).damage is None
            assert list(book.directory.glob("aside-*")) == []
        return folded(self.ben.records())


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return Team(tmp_path)


def together(*works: Callable[[], object]) -> None:
    """All at the same moment; raises what one of them raised."""
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        barrier.wait(60)
        work()

    with ThreadPoolExecutor(len(works)) as pool:
        for running in [pool.submit(run, work) for work in works]:
            running.result()


@pytest.mark.parametrize("decide", [notice, action])
def test_who_comes_second_decides_anew_and_has_the_next_number(team: Team, decide: Decide) -> None:
    won: list[str] = []
    lost = decide(team.slower(lambda: won.append(decide(team.ben))))
    assert (won[0][1:], lost[1:]) == ("1", "2")
    found = team.incident()
    by = [*found.notices.values()] if decide is notice else [*found.actions.values()]
    assert [(one.id, getattr(one, "subject", "") or getattr(one, "title", "")) for one in by] == [
        (won[0], "ben"), (lost, "ada"),
    ]  # fmt: skip


@pytest.mark.parametrize("decide", [notice, action])
def test_at_the_same_moment_every_number_is_given_once(team: Team, decide: Decide) -> None:
    each, numbers = 6, dict[str, list[str]](ada=[], ben=[])

    def work(book: Ledger) -> None:
        numbers[book.who.user] += [decide(book) for _ in range(each)]

    together(lambda: work(team.ada), lambda: work(team.ben))
    found = team.incident()
    known = found.notices if decide is notice else found.actions
    given = numbers["ada"] + numbers["ben"]
    assert len(given) == len(set(given)) == 2 * each
    assert set(given) == set(known) == {f"{given[0][0]}{number + 1}" for number in range(2 * each)}
    by = {name: getattr(one, "subject", "") or getattr(one, "title", "") for name, one in known.items()}
    assert by == {name: user for user, names in numbers.items() for name in names}


def test_notices_and_actions_at_once_keep_one_chain(team: Team) -> None:
    together(
        lambda: [notice(team.ada), action(team.ada)],
        lambda: [action(team.ben), notice(team.ben)],
        lambda: team.ada.append(NoteWritten(text="meanwhile")),
    )
    found = team.incident()
    assert (sorted(found.notices), sorted(found.actions)) == (["n1", "n2"], ["a1", "a2"])
    assert [one.text for one in found.notes] == ["meanwhile"]


class Arrived:
    """A channel: who got which letter, from whichever machine; it fails for `down` letters first."""

    def __init__(self, down: int = 0) -> None:
        self.letters: list[tuple[str, str]] = []
        self._down = down
        self._turn = threading.Lock()

    def send(self, letter: Letter, to: str = "") -> str:
        with self._turn:
            if self._down:
                self._down -= 1
                raise ProviderError("421: busy", provider="mail", sent=False, retryable=True)
            self.letters.append((letter.id, to))
        return "ok"

    def close(self) -> None:
        """Nothing is open."""


def send(team: Team, book: Ledger, name: str, channel: Arrived, batch: int = 2) -> None:
    known = folded(book.records()).notices[name]
    Dispatch(book, known, now=team.clocks[book.who.user]).over({"mail": Route(channel, PEOPLE, batch)})


@pytest.mark.parametrize("batch", [1, 2, 6])
def test_one_notice_that_both_send_reaches_everybody_once(team: Team, batch: int) -> None:
    name, channel = notice(team.ada), Arrived()
    team.ben.sync()
    together(
        lambda: send(team, team.ada, name, channel, batch), lambda: send(team, team.ben, name, channel, batch)
    )  # fmt: skip
    team.incident()
    for book in (team.ada, team.ben):
        send(team, book, name, channel)
    assert sorted(to for _, to in channel.letters) == [one.address for one in PEOPLE]
    assert {one.state for one in team.incident().notices[name].deliveries} == {"sent"}


def test_two_notices_at_once_reach_everybody_once_each(team: Team) -> None:
    channel = Arrived()

    def work(book: Ledger) -> Callable[[], None]:
        return lambda: send(team, book, notice(book), channel)

    together(work(team.ada), work(team.ben))
    assert len(channel.letters) == len(set(channel.letters)) == 2 * len(PEOPLE)
    found = team.incident()
    assert all(len(found.notices[name].of("sent")) == len(PEOPLE) for name in ("n1", "n2"))


# Clocks of two machines differ. The chain says what came first.


@pytest.fixture(params=[-600, 600], ids=["ben is behind", "ben is ahead"])
def skewed(tmp_path: Path, request: pytest.FixtureRequest) -> Team:
    clocks = {"ada": Clock(), "ben": Clock()}
    clocks["ben"].pass_by(seconds=request.param)
    team = Team(tmp_path, clocks)
    team.pass_by(seconds=5)
    return team


def test_nothing_is_lost_where_a_clock_is_wrong(skewed: Team) -> None:
    team = skewed
    team.ben.append(NoteWritten(text="from ben"))
    assert (action(team.ada), action(team.ben), action(team.ada)) == ("a1", "a2", "a3")
    assert (notice(team.ben), notice(team.ada)) == ("n1", "n2")
    team.ben.append(ActionChanged(action="a1", state="done"))
    team.ada.append(ActionChanged(action="a2", owner="Ada"))
    found = team.incident()
    assert [one.text for one in found.notes] == ["from ben"]
    assert {name: (one.state, one.owner) for name, one in found.actions.items()} == {
        "a1": ("done", ""), "a2": ("open", "Ada"), "a3": ("open", ""),
    }  # fmt: skip
    assert list(found.notices) == ["n1", "n2"]
    (listed,) = known_incidents(team.place / "ada")
    assert (len(listed.notes), len(listed.actions), len(listed.notices)) == (1, 3, 2)


def test_nothing_is_sent_twice_where_a_clock_is_wrong(skewed: Team) -> None:
    team, channel = skewed, Arrived()
    name = notice(team.ada)
    team.ben.sync()
    send(team, team.ben, name, channel)
    team.ada.sync()
    send(team, team.ada, name, channel)
    assert sorted(to for _, to in channel.letters) == [one.address for one in PEOPLE]
    assert len(team.incident().notices[name].of("sent")) == len(PEOPLE)


def test_a_failure_on_one_machine_does_not_undo_the_receipt_of_another(skewed: Team) -> None:
    team, channel = skewed, Arrived(down=1)
    name = notice(team.ada)
    send(team, team.ada, name, channel, batch=6)
    assert channel.letters == []
    team.ben.sync()
    send(team, team.ben, name, channel)
    for book in (team.ada, team.ben):
        book.sync()
        send(team, book, name, channel)
    assert sorted(to for _, to in channel.letters) == [one.address for one in PEOPLE]


def test_an_answer_that_waited_on_a_machine_does_not_undo_a_later_receipt(team: Team) -> None:
    """Ada's machine could not share that a message was refused; a person said so, and Ben sent it."""
    name, first, second = notice(team.ada), Arrived(down=1), Arrived()
    to = {"mail": Route(first, PEOPLE[:1])}

    def away(*entries: Entry) -> None:
        raise MachineError("The shared state is away.")

    blocked = ledger(team.place, shared=team.shared, clock=team.clocks["ada"])
    object.__setattr__(blocked, "append", away)  # the answers wait
    with pytest.raises(MachineError):
        Dispatch(blocked, folded(blocked.records()).notices[name], now=team.clocks["ada"]).over(to)
    team.pass_by(minutes=5)
    team.ben.append(NoticeSettled(notice=name, channel="mail", recipient="digest0", decision="not sent"))
    send(team, team.ben, name, second)
    team.pass_by(minutes=5)
    team.ada.append()
    assert any(isinstance(one.event, NoticeFailed) for one in IncidentJournal.read(team.ada.path).records[-1:])
    for book in (team.ada, team.ben):
        book.sync()
        send(team, book, name, second)
    assert len(second.letters) == len(PEOPLE)
    assert len(team.incident().notices[name].of("sent")) == len(PEOPLE)


def test_an_answer_of_an_earlier_attempt_does_not_end_that_of_another_machine() -> None:
    """Refused, said by a person, taken up by Ben whose process died: Ada's late answer sends nothing again."""
    at, by = Clock(), {"ada": "ada-host", "ben": "ben-host"}

    def line(user: str, event: Entry) -> Recorded:
        at.pass_by(seconds=1)
        return Recorded.model_validate({"incident": INCIDENT, "seq": 0, "at": at(), "user": user, "host": by[user],
                                        "event": event.model_dump()})  # fmt: skip

    sending = NoticeSending(notice="n1", channel="mail", recipients=("d",))
    failed = NoticeFailed(notice="n1", channel="mail", recipient="d", reason="421: busy")
    settled = NoticeSettled(notice="n1", channel="mail", recipient="d", decision="not sent")
    prepared = NoticePrepared(
        notice="n1", stage="first", readers="users", subject="s", text="t", channels=("mail",)
    )  # fmt: skip
    told = (("ada", opened()), ("ada", prepared), ("ada", sending), ("ben", settled), ("ben", sending), ("ada", failed))
    chain = [line(user, event) for user, event in told]
    (found,) = folded(chain).notices["n1"].deliveries
    assert found.state == "sending"
    (found,) = folded([*chain, line("ben", failed)]).notices["n1"].deliveries
    assert found.state == "failed"


def test_what_one_wrote_without_the_team_keeps_a_number_of_its_own(team: Team) -> None:
    """Ada worked without the shared state meanwhile: both have a first notice and a first action."""
    alone, letters = ledger(team.place, clock=team.clocks["ada"]), Arrived()
    for book in (alone, team.ben):
        name = notice(book)
        send(team, book, name, letters)
        book.append(ActionChanged(action=action(book), owner=book.who.user))
    team.ada.sync()
    team.ben.sync()
    assert team.ada.path.read_bytes() == team.ben.path.read_bytes()
    found = folded(team.ben.records())
    assert {one.subject: len(one.of("sent")) for one in found.notices.values()} == {"ada": 6, "ben": 6}
    assert {one.title: one.owner for one in found.actions.values()} == {"ada": "ada", "ben": "ben"}
    assert (found.notices["n1"].subject, found.actions["a1"].title) == ("ben", "ben"), "the team's numbers stay"
    assert (notice(team.ada), action(team.ben)) == ("n3", "a3")
    for name in folded(team.ada.records()).notices.keys() - {"n3"}:
        send(team, team.ada, name, letters)
    assert len(letters.letters) == 2 * len(PEOPLE)
