"""The mail account's probe against a real token endpoint on loopback; and that it can post nothing else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import httpx
import pytest
from pydantic import SecretStr

from uscdr.errors import ConfigError, ProviderError, RateLimited, WriteRefused
from uscdr.providers.http.retry import RetryingCaller, RetryPolicy
from uscdr.providers.probes.mail import MailProbe, _TokenRequestOnly

CREDENTIALS = {
    "client_id": SecretStr("id-planted.apps.example"),
    "client_secret": SecretStr("secret&planted=1"),
    "refresh_token": SecretStr("1//refresh-planted"),
}


@dataclass
class Endpoint:
    """What it answers, and what it was asked."""

    status: int = 200
    body: object = field(default_factory=lambda: {"access_token": "ya29.planted", "expires_in": 3599})
    heard: list[tuple[str, str, str, dict[str, list[str]]]] = field(default_factory=list)


@contextmanager
def running(endpoint: Endpoint) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["Content-Length"])).decode()
            endpoint.heard.append((self.command, self.path, self.headers["Content-Type"], parse_qs(form)))
            body = endpoint.body if isinstance(endpoint.body, bytes) else json.dumps(endpoint.body).encode()
            self.send_response(endpoint.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/token"
        finally:
            server.shutdown()
            thread.join()


def asked(endpoint: Endpoint) -> str:
    with running(endpoint) as url:
        return probe(url).accepts(CREDENTIALS)


def probe(url: str) -> MailProbe:
    return MailProbe(url, timeout=5, patience=RetryingCaller(policy=RetryPolicy(attempts=2), sleep=lambda _: None))


def test_an_account_that_is_accepted() -> None:
    endpoint = Endpoint()
    assert asked(endpoint) == ""
    form = {name: [secret.get_secret_value()] for name, secret in CREDENTIALS.items()}
    assert endpoint.heard == [
        ("POST", "/token", "application/x-www-form-urlencoded", {"grant_type": ["refresh_token"], **form})
    ]


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (400, {"error": "invalid_grant", "error_description": "planted"}, "invalid_grant"),
        (401, {"error": "invalid_client"}, "invalid_client"),
        (400, {"error": "Your token 1//refresh-planted"}, "refused"),
    ],
)
def test_the_reason_of_a_refusal(status: int, body: object, reason: str) -> None:
    endpoint = Endpoint(status, body)
    assert (asked(endpoint), len(endpoint.heard)) == (reason, 1)


@pytest.mark.parametrize(
    ("status", "body", "calls"),
    [
        (200, {}, 1),
        (200, {"access_token": ""}, 1),
        (200, ["access_token"], 1),
        (200, b"<html>access_token", 1),
        (302, {"access_token": "x"}, 1),
        (400, {}, 1),
        (400, {"error": {"code": 1}}, 1),
        (403, {"error": "planted"}, 1),
        (404, b"", 1),
        (503, b"planted", 2),
    ],
)
def test_what_tells_nothing_is_neither_yes_nor_no(status: int, body: object, calls: int) -> None:
    endpoint = Endpoint(status, body)
    with pytest.raises(ProviderError) as raised:
        asked(endpoint)
    assert len(endpoint.heard) == calls
    assert "planted" not in words_of(raised.value)


def test_asked_too_often() -> None:
    with pytest.raises(RateLimited):
        asked(Endpoint(429, {"error": "rate_limit_exceeded"}))


def test_nobody_answers() -> None:
    with running(Endpoint()) as url:
        pass
    with pytest.raises(ProviderError, match="uscdr could not reach") as raised:
        probe(url).accepts(CREDENTIALS)
    assert "planted" not in words_of(raised.value)


def test_credentials_do_not_travel_in_clear_text() -> None:
    with pytest.raises(ConfigError, match="https"):
        MailProbe("http://192.0.2.1/token")


@pytest.mark.parametrize(
    ("method", "path", "form"),
    [
        ("POST", "/token", {"grant_type": "authorization_code", "code": "x"}),
        ("POST", "/token", {"grant_type": "refresh_token"}),
        ("POST", "/token", {"grant_type": "refresh_token", **dict.fromkeys(CREDENTIALS, "x"), "scope": "all"}),
        ("POST", "/revoke", {"grant_type": "refresh_token", **dict.fromkeys(CREDENTIALS, "x")}),
        ("PUT", "/token", {"grant_type": "refresh_token", **dict.fromkeys(CREDENTIALS, "x")}),
        ("GET", "/token", {}),
    ],
)
def test_nothing_else_can_be_sent(method: str, path: str, form: dict[str, str]) -> None:
    def reached(_: httpx.Request) -> httpx.Response:
        raise AssertionError("it was sent")

    transport = _TokenRequestOnly(httpx.MockTransport(reached), httpx.URL("https://mail.example/token"))
    with httpx.Client(transport=transport) as client, pytest.raises(WriteRefused):
        client.request(method, f"https://mail.example{path}", data=form)


def words_of(error: ProviderError) -> str:
    return f"{error} {error.why} {error.next_action} {error.__cause__!r}"
