"""The retry loop: what is sent again, how long it waits, what ends it."""

import threading
import time
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from uscdr.errors import AnswerLost, Interrupted, ProviderError, RateLimited, WriteRefused
from uscdr.providers.http.exchange import _retry_after
from uscdr.providers.http.refusal import clean
from uscdr.providers.http.retry import RetryingCaller, RetryPolicy, Wait, _may_resend


def failing(error: ProviderError, calls: list[int]) -> object:
    def attempt() -> None:
        calls.append(1)
        raise error

    return attempt


READ_FAULT = ProviderError("x", provider="p", retryable=True)
NEVER_SENT = ProviderError("x", provider="p", retryable=True, sent=False)


@pytest.mark.parametrize(
    ("error", "read_again", "write_again"),
    [
        (READ_FAULT, True, False),
        (NEVER_SENT, True, True),
        (RateLimited("x", provider="p"), True, True),
        (ProviderError("x", provider="p"), False, False),
        (ProviderError("x", provider="p", sent=False), False, False),
        (AnswerLost("x", provider="p"), False, False),
        (WriteRefused("x", provider="p"), False, False),
        (OSError("x"), False, False),
    ],
)
def test_what_may_be_sent_again(error: BaseException, read_again: bool, write_again: bool) -> None:
    assert _may_resend(error, writes=False) is read_again
    assert _may_resend(error, writes=True) is write_again


def test_waits_grow_and_are_told_before_they_begin() -> None:
    slept: list[float] = []
    heard: list[Wait] = []
    calls: list[int] = []
    patience = RetryingCaller(policy=RetryPolicy(attempts=5, seconds=1000), sleep=slept.append, on_wait=heard.append)
    with pytest.raises(ProviderError) as caught:
        patience.call(failing(READ_FAULT, calls), writes=False)  # type: ignore[arg-type]
    assert caught.value is READ_FAULT
    assert len(calls) == 5
    for number, wait in enumerate(slept):
        assert 0.5 * 2**number <= wait <= 0.5 * 2**number + 0.5
    assert [wait.seconds for wait in heard] == slept


def test_the_waiting_is_limited_in_all() -> None:
    slept: list[float] = []
    patience = RetryingCaller(policy=RetryPolicy(attempts=100, seconds=20), sleep=slept.append)
    with pytest.raises(ProviderError):
        patience.call(failing(READ_FAULT, []), writes=False)  # type: ignore[arg-type]
    assert 5 < sum(slept) <= 20


def test_a_wait_ends_at_once_when_the_operator_interrupts() -> None:
    stop = threading.Event()
    patience = RetryingCaller(
        policy=RetryPolicy(first=60, longest=60, seconds=600), stop=stop, on_wait=lambda _: stop.set()
    )
    before = time.monotonic()
    with pytest.raises(Interrupted):
        patience.call(failing(READ_FAULT, []), writes=False)  # type: ignore[arg-type]
    assert time.monotonic() - before < 5


NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-3", None),
        ("1e9", None),
        ("²", None),
        ("9" * 400, None),
    ],
)
def test_retry_after_in_both_its_forms(header: str | None, seconds: float | None) -> None:
    assert _retry_after(header, now=NOW) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "could not use postgres://u:canary@h/db now",
        "token HRKU-canary refused",
        "Authorization: Bearer canary",
        "SECRET_KEY=canary",
        'say "password": canary please',
        "key: canary",
        "canary" * 10,
    ],
)
def test_a_providers_sentence_is_shown_without_secrets(text: str) -> None:
    assert "canary" not in clean(text)


def test_a_providers_sentence_stays_readable() -> None:
    said = 'The mini plan has reached end-of-life;\x1b[31m see "heroku-postgresql:essential-0".\n'
    assert clean(said) == 'The mini plan has reached end-of-life; [31m see "heroku-postgresql:essential-0".'
    assert len(clean("word " * 200)) <= 300


def test_what_went_with_the_request_is_taken_out_whatever_it_looks_like() -> None:
    assert clean("we got canary and canary", (SecretStr("canary"),)) == "we got [hidden] and [hidden]"
