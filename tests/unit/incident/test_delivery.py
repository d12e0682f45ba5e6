"""A notice reaches each recipient at most once, whatever happens in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from ledgers import Clock, ledger, opened

from uscdr.errors import AnswerLost, CredentialsRefused, MachineError, ProviderError, RateLimited
from uscdr.incident.delivery import Addressee, DeliveryReport, Dispatch, Route
from uscdr.incident.ledger import Ledger
from uscdr.incident.state import folded
from uscdr.models.incidents import NoticePrepared, NoticeSettled
from uscdr.providers.ports.notices import ADDRESS_REFUSED, Letter

Answer = Callable[[], str]
PEOPLE = tuple(Addressee(f"digest{number}", f"p{number}@clinic.example") for number in range(5))


class Channel:
    """Answers by a script, and remembers what arrived."""

    def __init__(self, *script: Exception | str) -> None:
        self._script = list(script)
        self.letters: list[tuple[str, str]] = []
        self.closed = 0

    def send(self, letter: Letter, to: str = "") -> str:
        answer = self._script.pop(0) if self._script else "ok"
        if not isinstance(answer, Exception) or isinstance(answer, AnswerLost):
            self.letters.append((letter.id, to))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        self.closed += 1


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(tmp_path: Path, clock: Clock) -> Ledger:
    found = ledger(tmp_path, clock=clock)
    found.append(
        opened(),
        NoticePrepared(notice="n1", stage="first", readers="users", subject="s", text="t", channels=("mail", "chat")),
    )
    return found


def send(book: Ledger, clock: Clock, **routes: Route) -> DeliveryReport:
    notice = folded(book.records()).notices["n1"]
    return Dispatch(book, notice, now=clock).over(routes)


def states(book: Ledger) -> dict[tuple[str, str], str]:
    notice = folded(book.records()).notices["n1"]
    return {(one.channel, one.recipient): one.state for one in notice.deliveries}


def mail(channel: Channel, people: Sequence[Addressee] = PEOPLE, batch: int = 2) -> Route:
    return Route(channel, people, batch)


def test_everybody_gets_it_once_and_nobody_again(book: Ledger, clock: Clock) -> None:
    channel = Channel()
    assert send(book, clock, mail=mail(channel, (*PEOPLE, PEOPLE[0]))).sent == 5
    assert [to for _, to in channel.letters] == [one.address for one in PEOPLE]
    assert send(book, clock, mail=mail(channel)).sent == 0
    assert len(channel.letters) == 5
    assert set(states(book).values()) == {"sent"}


def test_the_intent_is_on_disk_before_the_first_byte(book: Ledger, clock: Clock) -> None:
    seen: list[str] = []

    class Looks(Channel):
        def send(self, letter: Letter, to: str = "") -> str:
            seen.append(states(book)["mail", "digest0"])
            return super().send(letter, to)

    send(book, clock, mail=mail(Looks(), PEOPLE[:1]))
    assert seen == ["sending"]


@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize("before", range(5))
def test_a_process_that_dies_leaves_doubt_and_sends_nothing_twice(
    book: Ledger, clock: Clock, batch: int, before: int
) -> None:
    class Dies(Channel):
        def send(self, letter: Letter, to: str = "") -> str:
            if len(self.letters) == before:
                self.letters.append((letter.id, to))
                raise Killed
            return super().send(letter, to)

    first, second = Dies(), Channel()
    with pytest.raises(Killed):
        send(book, clock, mail=mail(first, batch=batch))
    doubtful = [where for where, state in states(book).items() if state == "sending"]
    assert ("mail", f"digest{before}") in doubtful
    send(book, clock, mail=mail(second, batch=batch))
    arrived = [to for _, to in (*first.letters, *second.letters)]
    assert len(arrived) == len(set(arrived))
    assert [where for where, state in states(book).items() if state == "sending"] == doubtful


def test_a_lost_answer_is_in_doubt_until_a_person_says(book: Ledger, clock: Clock) -> None:
    channel = Channel(AnswerLost("The answer was lost.", provider="chat"))
    report = send(book, clock, chat=Route(channel))
    assert report.doubtful == {"chat": 1}
    assert send(book, clock, chat=Route(channel)).sent == 0
    assert len(channel.letters) == 1
    book.append(NoticeSettled(notice="n1", channel="chat", decision="not sent"))
    assert send(book, clock, chat=Route(channel)).sent == 1


def test_a_receipt_is_not_overruled_by_an_answer_about_doubt(book: Ledger, clock: Clock) -> None:
    channel = Channel()
    send(book, clock, chat=Route(channel))
    book.append(NoticeSettled(notice="n1", channel="chat", decision="not sent"))
    assert send(book, clock, chat=Route(channel)).sent == 0


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (ProviderError("421: busy", provider="mail", sent=False, retryable=True), 0),
        (RateLimited("429", provider="mail", retry_after=300), 300),
        (MachineError("no network"), 0),
    ],
)
def test_what_was_not_accepted_waits_and_is_sent_later(
    book: Ledger, clock: Clock, error: Exception, seconds: int
) -> None:
    channel = Channel("ok", error)
    report = send(book, clock, mail=mail(channel, batch=3))
    assert report.sent == 1
    assert list(report.failed) == ["mail"]
    again = send(book, clock, mail=mail(channel, batch=3))
    assert again.sent == (3 if seconds else 4)  # those that were not tried need not wait
    clock.pass_by(seconds=seconds + 1)
    assert send(book, clock, mail=mail(channel, batch=3)).sent == (1 if seconds else 0)
    assert sorted(to for _, to in channel.letters) == sorted(one.address for one in PEOPLE)


def test_one_refused_address_does_not_stop_the_others_and_is_not_tried_again(book: Ledger, clock: Clock) -> None:
    gone = ProviderError("550: no such user", provider="mail", error_id=ADDRESS_REFUSED)
    channel = Channel("ok", gone)
    report = send(book, clock, mail=mail(channel))
    assert (report.sent, report.refused) == (4, {"mail": 1})
    clock.pass_by(days=1)
    assert send(book, clock, mail=mail(channel)).sent == 0
    assert states(book)["mail", "digest1"] == "refused"


def test_refused_credentials_stop_the_channel_and_not_the_other_one(book: Ledger, clock: Clock) -> None:
    closed = Channel(CredentialsRefused("535: wrong password", provider="mail"))
    chat = Channel()
    report = send(book, clock, mail=mail(closed), chat=Route(chat))
    assert (report.sent, list(report.failed)) == (1, ["mail"])
    assert closed.letters == []
    assert (closed.closed, chat.closed) == (1, 1)


def test_two_operators_at_once_send_it_once(tmp_path: Path) -> None:
    shared, clock = tmp_path / "shared", Clock()
    ada, ben = (ledger(tmp_path, name, shared=shared, clock=clock) for name in ("ada", "ben"))
    ada.append(
        opened(), NoticePrepared(notice="n1", stage="first", readers="users", subject="s", text="t", channels=("mail",))
    )
    ben.sync()
    both = Channel()
    stale = folded(ben.records()).notices["n1"]
    send(ada, clock, mail=mail(both))
    Dispatch(ben, stale, now=clock).over({"mail": mail(both)})
    assert len(both.letters) == 5


def test_ids_of_letters_are_stable_and_tell_recipients_apart(book: Ledger, clock: Clock) -> None:
    channel = Channel(RateLimited("429", provider="mail", retry_after=1))
    send(book, clock, mail=mail(channel, PEOPLE[:2]))
    clock.pass_by(minutes=1)
    send(book, clock, mail=mail(channel, PEOPLE[:2]))
    ids = [name for name, _ in channel.letters]
    assert len(set(ids)) == 2
    assert all(name.startswith("n1-") for name in ids)
