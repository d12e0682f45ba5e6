"""A place that does not answer costs a command that only looks its limit once; a recovery under way is not hurried."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from uscdr.errors import ProviderError, RateLimited
from uscdr.providers.http import exchange as exchanging
from uscdr.providers.http import outages
from uscdr.providers.http.client import trust
from uscdr.providers.http.exchange import HttpCall
from uscdr.providers.http.outages import Outages, time_allowed
from uscdr.providers.http.retry import RetryingCaller
from uscdr.providers.http.transport import open_client

PLACE, OTHER = "one.example", "two.example"
ASK = HttpCall("tell anything", "GET", "/", writes=False)


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def known_places(clock: Clock) -> Outages:
    return Outages(clock)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same limits, shorter."""
    monkeypatch.setattr(outages, "SILENCES", (0.3, 0.1, 0.05))
    monkeypatch.setattr(outages, "ALIVE", 0.4)
    monkeypatch.setattr(outages, "AT_LEAST", 0.0)


def silence(known_places: Outages, clock: Clock, place: str, seconds: float) -> None:
    begun = clock.now
    clock.now += seconds
    known_places.silent(place, begun)


def test_the_first_place_may_keep_silent_longest_and_no_place_twice(known_places: Outages, clock: Clock) -> None:
    assert known_places.left(PLACE) == outages.SILENCES[0]
    silence(known_places, clock, PLACE, outages.SILENCES[0])
    assert known_places.left(PLACE) == 0.0
    assert known_places.left(OTHER) == outages.SILENCES[1]
    silence(known_places, clock, OTHER, outages.SILENCES[1])
    assert known_places.left(OTHER) == 0.0


def test_however_many_places_are_dead_all_together_cost_less_than_a_command_may(
    known_places: Outages, clock: Clock
) -> None:
    begun = clock.now
    for number in range(6):
        silence(known_places, clock, f"{number}.example", known_places.left(f"{number}.example"))
    assert clock.now - begun <= 16.0


def test_an_answer_makes_good_what_was_silent(known_places: Outages, clock: Clock) -> None:
    silence(known_places, clock, PLACE, 5.0)
    assert known_places.left(PLACE) == pytest.approx(outages.SILENCES[0] - 5.0)
    known_places.answered(PLACE)
    assert known_places.left(PLACE) == outages.ALIVE


def test_what_refuses_three_times_is_given_up_before_its_time(known_places: Outages, clock: Clock) -> None:
    for _ in range(outages.REFUSALS):
        silence(known_places, clock, PLACE, 0.5)
    assert known_places.left(PLACE) == 0.0


def test_requests_that_fail_at_the_same_moment_are_one_failure(known_places: Outages, clock: Clock) -> None:
    for _ in range(5):
        silence(known_places, clock, PLACE, 0.0)
    assert known_places.left(PLACE) > 0.0


def test_who_looks_again_and_again_asks_again_after_a_while(known_places: Outages, clock: Clock) -> None:
    silence(known_places, clock, PLACE, outages.SILENCES[0])
    clock.now += outages.REMEMBERED + 1
    assert known_places.left(PLACE) == outages.SILENCES[0]


@pytest.fixture
def black_hole() -> Iterator[str]:
    """Takes every connection, and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=20) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.usefixtures("hasty")
def test_parallel_parts_share_what_is_known_of_a_host_that_never_answers(black_hole: str) -> None:
    with Outages.shared(), open_client(black_hole, provider="Heroku", verify=trust(), read_only=True) as client:
        patience = RetryingCaller()

        def ask(_: int) -> ProviderError:
            with pytest.raises(ProviderError) as caught:
                patience.call(lambda: ASK.send(client, provider="Heroku"), writes=False)
            return caught.value

        with ThreadPoolExecutor(4) as several:
            failed = list(several.map(ask, range(12)))
    assert all(not one.retryable for one in failed[4:])
    assert "it did not answer before, so this command does not wait for it again" in failed[-1].why


@pytest.mark.usefixtures("hasty")
def test_another_client_of_the_same_host_knows_it_too(black_hole: str) -> None:
    with Outages.shared():
        for _ in range(2):
            with (
                open_client(black_hole, provider="Heroku", verify=trust(), read_only=True) as client,
                pytest.raises(ProviderError) as caught,
            ):
                ASK.send(client, provider="Heroku")
    assert caught.value.sent is False


def test_nothing_is_known_where_no_command_only_looks() -> None:
    assert Outages.known() is None
    with time_allowed(PLACE, 30.0) as seconds:
        assert seconds == 30.0


def test_any_other_protocol_heeds_the_same_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "SILENCES", (0.0,))
    with (
        Outages.shared(),
        pytest.raises(TimeoutError, match="it did not answer before, so this command does not wait for it again"),
        time_allowed(PLACE, 30.0),
    ):
        pass


def test_a_provider_that_answers_but_not_well_is_waited_for_a_while_in_all() -> None:
    waits: list[float] = []

    def unwell() -> None:
        raise ProviderError("Heroku answered 503.", provider="Heroku", retryable=True)

    with Outages.shared():
        for _ in range(5):
            with pytest.raises(ProviderError):
                RetryingCaller(sleep=waits.append).call(unwell, writes=False)
    assert 0 < sum(waits) <= outages.WAITING


@pytest.mark.parametrize("named", [None, 20.0])
def test_a_quota_is_no_outage_and_is_waited_for_but_not_by_each_request_anew(named: float | None) -> None:
    waits: list[float] = []

    def limited() -> None:
        raise RateLimited("too often", provider="Heroku", retry_after=named)

    with Outages.shared():
        for _ in range(5):
            with pytest.raises(RateLimited):
                RetryingCaller(sleep=waits.append).call(limited, writes=False)
    assert outages.WAITING < sum(waits) <= outages.QUOTA


def test_an_answer_that_never_ends_is_given_up_and_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanging, "ANSWER_BYTES", 10_000)
    asked: list[int] = []

    def drip(listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            asked.append(1)
            with connection:
                connection.recv(4096)
                try:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
                    while True:
                        connection.sendall(b" " * 1000)
                except OSError:
                    continue

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=drip, args=(listening,), daemon=True).start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with (
            open_client(address, provider="Heroku", verify=trust(), read_only=True) as client,
            pytest.raises(ProviderError) as caught,
        ):
            RetryingCaller().call(lambda: ASK.send(client, provider="Heroku"), writes=False)
    assert not caught.value.retryable
    assert "the answer is too long" in caught.value.why
    assert len(asked) == 1


@pytest.mark.usefixtures("hasty")
def test_a_name_that_nobody_resolves_costs_no_more_than_a_silent_host(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(60) and [])
    begun = time.monotonic()
    try:
        with Outages.shared():
            for name in ("a.example", "b.example", "c.example"):
                with (
                    open_client(f"https://{name}", provider="Heroku", verify=trust(), read_only=True) as client,
                    pytest.raises(ProviderError) as caught,
                ):
                    ASK.send(client, provider="Heroku")
                assert caught.value.sent is False
    finally:
        over.set()
    assert time.monotonic() - begun < 60
