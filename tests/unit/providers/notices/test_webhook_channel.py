"""Webhooks on loopback: what is sent to each kind of chat, what its answers mean, and that the address stays secret."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import SecretStr

from uscdr.errors import (
    AnswerLost,
    ConfigError,
    CredentialsRefused,
    NotFound,
    ProviderError,
    RateLimited,
    UscdrError,
    WriteRefused,
)
from uscdr.providers.http.client import trust
from uscdr.providers.http.retry import RetryingCaller, RetryPolicy
from uscdr.providers.notices.forms import FORMS, Form
from uscdr.providers.notices.webhook import WebhookChannel
from uscdr.providers.ports.notices import Letter

SECRET = "/services/T0/B0/planted-token?sig=planted-signature%2B1"
LOUD = Letter(
    "inc1-chat-1", "USC-PIS is down @everyone <!channel>",
    "Hello @here, <@U1> & *all* [click](https://evil.example)\nSee https://status.example/a_b\nOps: ops@team.example",
    "critical",
)  # fmt: skip


@dataclass
class Endpoint:
    """What it answers in turn (the last one stays), and what it was sent."""

    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=lambda: [(200, {}, b"ok")])
    silent: bool = False
    cut: bool = False
    heard: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    url: str = ""


@contextmanager
def running(endpoint: Endpoint) -> Iterator[Endpoint]:
    done = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            endpoint.heard.append((self.path, dict(self.headers), body))
            if endpoint.silent:
                done.wait(60)
            if endpoint.silent or endpoint.cut:
                self.close_connection = True
                return
            status, headers, content = endpoint.answers.pop(0) if len(endpoint.answers) > 1 else endpoint.answers[0]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        endpoint.url = f"http://127.0.0.1:{server.server_address[1]}{SECRET}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield endpoint
        finally:
            done.set()
            server.shutdown()
            thread.join()


def channel(url: str, form: Form = "json", seconds: float = 20.0) -> WebhookChannel:
    patience = RetryingCaller(policy=RetryPolicy(attempts=3), sleep=lambda _: None)
    return WebhookChannel(SecretStr(url), form, trust(), loopback_only=True, seconds=seconds, patience=patience)


def posted(endpoint: Endpoint, form: Form = "json", seconds: float = 20.0) -> str:
    with running(endpoint):
        return channel(endpoint.url, form, seconds).send(LOUD)


def failed(endpoint: Endpoint, form: Form = "json", seconds: float = 20.0) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        posted(endpoint, form, seconds)
    hides(raised.value)
    return raised.value


def hides(error: UscdrError) -> None:
    told = f"{error.message} {error.why} {error.next_action} {error!r} {error.__cause__}"
    assert "planted" not in told
    assert "/services" not in told


def test_the_address_is_sent_as_it_is_and_the_id_with_it() -> None:
    endpoint = Endpoint([(202, {}, b'{"id": "m-17"}')])
    assert posted(endpoint) == "202 m-17"
    [(path, headers, body)] = endpoint.heard
    assert path == SECRET
    assert headers["Idempotency-Key"] == LOUD.id
    assert body == {"id": LOUD.id, "subject": LOUD.subject, "text": LOUD.text, "severity": "critical"}


def test_slack_gets_plain_text_and_calls_nobody() -> None:
    endpoint = Endpoint()
    assert posted(endpoint, "slack") == "200"
    body = endpoint.heard[0][2]
    assert {block["text"]["type"] for block in body["blocks"]} == {"plain_text"}
    assert "<" not in body["text"]
    assert "@everyone" not in json.dumps(body)
    assert "@here" not in json.dumps(body)
    assert (body["unfurl_links"], body["unfurl_media"]) == (False, False)
    assert "ops@team.example" in body["blocks"][1]["text"]["text"], "an address is no mention"


def test_a_long_text_fits_slack_and_discord() -> None:
    long = Letter("n-1", "Down" * 50, "word " * 40_000)
    slack: Any = FORMS["slack"].body(long)
    assert len(slack["blocks"]) <= 50
    assert all(len(block["text"]["text"]) <= 3000 for block in slack["blocks"])
    assert len(slack["blocks"][0]["text"]["text"]) <= 150
    discord: Any = FORMS["discord"].body(long)
    assert len(discord["content"]) <= 2000


def test_discord_gets_its_markup_escaped_and_tells_the_id() -> None:
    endpoint = Endpoint([(200, {"Content-Type": "application/json"}, b'{"id": "1199"}')])
    assert posted(endpoint, "discord") == "200 1199"
    path, _, body = endpoint.heard[0]
    assert path == f"{SECRET}&wait=true"
    assert body["allowed_mentions"] == {"parse": []}
    assert r"\*all\*" in body["content"]
    assert r"\[click\](" in body["content"]
    assert "@everyone" not in body["content"]
    assert "https://status.example/a_b" in body["content"], "a bare address stays one that can be opened"


def test_teams_gets_text_runs() -> None:
    endpoint = Endpoint([(202, {}, b"")])
    assert posted(endpoint, "teams") == "202"
    [attachment] = endpoint.heard[0][2]["attachments"]
    body = attachment["content"]["body"]
    assert {block["type"] for block in body} == {"RichTextBlock"}
    assert body[0]["inlines"][0]["color"] == "Attention"
    assert len(body) == 4


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, ProviderError), (401, CredentialsRefused), (403, CredentialsRefused), (404, NotFound), (410, NotFound)],
)
def test_a_refusal_is_definite_and_not_repeated(status: int, kind: type[ProviderError]) -> None:
    endpoint = Endpoint([(status, {}, b"no planted text")])
    error = failed(endpoint, "slack")
    assert type(error) is kind
    assert (error.retryable, error.status, len(endpoint.heard)) == (False, status, 1)


def test_a_rate_limit_says_how_long() -> None:
    endpoint = Endpoint([(429, {"Retry-After": "7"}, b"")])
    error = failed(endpoint, "discord")
    assert isinstance(error, RateLimited)
    assert (error.retry_after, len(endpoint.heard)) == (7.0, 1)


@pytest.mark.parametrize(("inner", "kind"), [(429, RateLimited), (403, CredentialsRefused), (413, ProviderError)])
def test_teams_tells_refusals_in_a_successful_answer(inner: int, kind: type[ProviderError]) -> None:
    text = f"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error {inner} with"
    assert type(failed(Endpoint([(200, {}, text.encode())]), "teams")) is kind


@pytest.mark.parametrize("status", [408, 500, 502, 503, 302])
def test_what_neither_accepts_nor_refuses_may_have_arrived(status: int) -> None:
    endpoint = Endpoint([(status, {"Location": "http://127.0.0.1:1/planted"}, b"")])
    assert isinstance(failed(endpoint), AnswerLost)
    assert len(endpoint.heard) == 1


def test_silent_or_cut_after_the_post_may_have_arrived() -> None:
    for endpoint, seconds in ((Endpoint(silent=True), 1.0), (Endpoint(cut=True), 20.0)):
        assert isinstance(failed(endpoint, seconds=seconds), AnswerLost)
        assert len(endpoint.heard) == 1


def test_nobody_listens() -> None:
    endpoint = Endpoint()
    with running(endpoint):
        pass
    with pytest.raises(ProviderError) as raised:
        channel(endpoint.url).send(LOUD)
    hides(raised.value)
    assert (raised.value.sent, raised.value.retryable) == (False, True)


@pytest.mark.parametrize("url", [f"http://chat.example{SECRET}", f"chat.example{SECRET}", f"https://[{SECRET}"])
def test_an_address_that_others_could_read_is_refused(url: str) -> None:
    with pytest.raises(UscdrError) as raised:
        WebhookChannel(SecretStr(url), "slack", trust()).send(LOUD)
    hides(raised.value)
    assert isinstance(raised.value, ConfigError) or not raised.value.sent  # type: ignore[attr-defined]


def test_a_drill_posts_to_this_machine_only() -> None:
    with pytest.raises(WriteRefused) as raised:
        WebhookChannel(SecretStr(f"https://hooks.example{SECRET}"), "slack", trust(), loopback_only=True)
    hides(raised.value)
