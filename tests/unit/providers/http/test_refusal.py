"""The same answer gets the same judgement from every provider: refused, failed or in doubt."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from uscdr.errors import AnswerLost, Conflict, CredentialsRefused, NotFound, ProviderError, RateLimited
from uscdr.providers.cloudinary import decode as cloudinary
from uscdr.providers.dns import cloudflare
from uscdr.providers.heroku import client as heroku
from uscdr.providers.http.exchange import HttpCall, Reply
from uscdr.write_guard import ANYHOW

Judge = Callable[[Reply, HttpCall], ProviderError]
HTML = b"<html>a gateway</html>"
READ = HttpCall("look", "GET", "/things?signature=canary", writes=False)
WRITE = HttpCall("change it", "POST", "/things?signature=canary", writes=True)


OWN: dict[str, tuple[Judge, Any]] = {
    "Heroku": (lambda reply, call: heroku._refusal(reply, call, ANYHOW), {"id": "conflict", "message": "no"}),
    "Cloudinary": (
        lambda reply, call: cloudinary.refusal(reply, call, ANYHOW, wait=None),
        {"error": {"message": "no"}},
    ),
    "Cloudflare": (
        lambda reply, call: cloudflare._refusal(reply, call, reply.fields(), ANYHOW),
        {"success": False, "errors": [{"code": 81058}]},
    ),
}


def answered(status: int, body: object, **headers: str) -> Reply:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, httpx.Headers({name.replace("_", "-"): value for name, value in headers.items()}), content)


@pytest.mark.parametrize("who", OWN)
@pytest.mark.parametrize("call", [READ, WRITE])
def test_what_the_api_itself_refuses_is_refused(who: str, call: HttpCall) -> None:
    judge, body = OWN[who]
    error = judge(answered(409, body, Request_Id="r-1"), call)
    assert type(error) is Conflict
    assert error.message.startswith(f"{who} refused to {call.what}: ")
    assert error.request_id == "r-1"
    assert not error.retryable


@pytest.mark.parametrize("who", OWN)
@pytest.mark.parametrize("status", [302, 400, 404, 408, 409, 422, 500, 502])
def test_a_page_in_answer_to_a_write_leaves_it_in_doubt(who: str, status: int) -> None:
    error = OWN[who][0](answered(status, HTML), WRITE)
    assert type(error) is AnswerLost
    assert not error.retryable


@pytest.mark.parametrize("who", OWN)
@pytest.mark.parametrize(
    ("status", "again"), [(302, False), (400, False), (404, False), (408, True), (409, False), (500, True), (502, True)]
)
def test_a_page_in_answer_to_a_read_tells_nothing(who: str, status: int, again: bool) -> None:
    error = OWN[who][0](answered(status, HTML), READ)
    assert type(error) is ProviderError
    assert error.retryable is again
    assert "a web page" in error.why
    assert error.next_action


@pytest.mark.parametrize("who", OWN)
@pytest.mark.parametrize("status", [408, 500, 503])
def test_a_failure_in_the_apis_own_form_is_no_refusal(who: str, status: int) -> None:
    judge, body = OWN[who]
    assert type(judge(answered(status, body), WRITE)) is AnswerLost
    assert judge(answered(status, body), READ).retryable


@pytest.mark.parametrize("who", OWN)
@pytest.mark.parametrize("call", [READ, WRITE])
def test_some_statuses_say_whatever_the_body_that_nothing_was_done(who: str, call: HttpCall) -> None:
    judge = OWN[who][0]
    assert type(judge(answered(401, HTML), call)) is CredentialsRefused
    limited = judge(answered(429, HTML, Retry_After="9"), call)
    assert isinstance(limited, RateLimited)
    assert limited.retry_after == 9


@pytest.mark.parametrize("who", OWN)
def test_the_query_is_never_told(who: str) -> None:
    judge, body = OWN[who]
    for call in (READ, WRITE):
        for reply in (answered(409, body), answered(502, HTML), answered(302, b"")):
            assert "canary" not in judge(reply, call).why


def test_cloudinarys_own_rate_comes_before_the_header() -> None:
    error = cloudinary.refusal(answered(420, b"", Retry_After="9"), READ, ANYHOW, wait=600.0)
    assert isinstance(error, RateLimited)
    assert error.retry_after == 600
    assert "10 min" in error.why


def test_missing_is_only_what_the_api_says_is_missing() -> None:
    assert type(heroku._refusal(answered(404, {"id": "not_found"}), READ, ANYHOW)) is NotFound
    assert type(heroku._refusal(answered(404, {"detail": "Not found."}), READ, ANYHOW)) is ProviderError
