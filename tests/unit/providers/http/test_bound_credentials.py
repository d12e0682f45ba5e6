"""Credentials stay with their host: two listening servers, of which the second must never hear of them."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from uscdr.errors import ConfigError, ProviderError
from uscdr.providers.heroku.client import HerokuCall, HerokuClient
from uscdr.providers.http.client import trust
from uscdr.providers.http.exchange import HttpCall
from uscdr.providers.http.json import JsonObject
from uscdr.providers.http.retry import RetryPolicy
from uscdr.providers.http.transport import _BoundTransport, open_client
from uscdr.providers.probes.website import ApplicationWebsite

TOKEN = SecretStr("HRKU-canary")
ONCE = RetryPolicy(attempts=1, seconds=5.0)


class Listener:
    """Answers everything with a redirect, or 200 without one, and keeps what it was sent."""

    def __init__(self, to: str = "") -> None:
        self.to = to
        self.heard: list[str] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.heard.append(f"{self.requestline}\n{self.headers}")
                self.send_response(307 if outer.to else 200)
                if outer.to:
                    self.send_header("Location", outer.to)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def up(self) -> Iterator[Listener]:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        yield self
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def evil() -> Iterator[Listener]:
    with Listener().up() as listener:
        yield listener


@pytest.fixture
def api(evil: Listener) -> Iterator[Listener]:
    with Listener(f"{evil.url}/taken").up() as listener:
        yield listener


def test_the_platforms_token_follows_no_redirect(api: Listener, evil: Listener) -> None:
    with HerokuClient(api.url, api.url, TOKEN, read_only=False, policy=ONCE) as client:
        for method, writes in (("GET", False), ("POST", True)):
            with pytest.raises(ProviderError):
                client.ask(HerokuCall("look", method, "/apps/a", writes=writes), JsonObject.of)
    assert len(api.heard) == 2
    assert all("HRKU-canary" in one for one in api.heard)
    assert evil.heard == []


def test_it_goes_to_no_address_that_an_answer_names(api: Listener, evil: Listener) -> None:
    with HerokuClient(api.url, api.url, TOKEN, read_only=False, policy=ONCE) as client:
        for address in (f"{evil.url}/x", evil.url.replace("http://127.0.0.1", "http://localhost")):
            with pytest.raises(ProviderError, match="uscdr did not send a request with credentials to") as refused:
                client.exchange(api.url, HttpCall("look", "GET", address, writes=False))
            assert not refused.value.sent
    assert evil.heard == []
    assert api.heard == []


def test_the_check_accounts_token_stays_with_the_application(api: Listener, evil: Listener) -> None:
    site = ApplicationWebsite(api.url, read_only=True)
    with pytest.raises(ProviderError, match="uscdr did not send a request with credentials to"):
        site.ask("GET", f"{evil.url}/x", token=TOKEN)
    for path in (f"//{evil.url[7:]}/x", "/plain"):
        assert site.ask("GET", path, token=TOKEN).status == 307
    assert len(api.heard) == 2
    assert evil.heard == []
    site.fetch(f"{evil.url}/image.png")
    assert len(evil.heard) == 1
    assert "canary" not in evil.heard[0]
    site.close()


def test_it_travels_to_no_application_in_clear_text() -> None:
    site = ApplicationWebsite("http://clinic.example", read_only=True)
    for ask in (lambda: site.ask("GET", "/", token=TOKEN), lambda: site.sign_in("a@example.com", TOKEN)):
        with pytest.raises(ConfigError, match="https"):
            ask()
    site.close()


def test_what_carries_no_credentials_may_go_elsewhere(evil: Listener) -> None:
    with open_client("http://127.0.0.1:9", provider="any", verify=trust(), read_only=True) as client:
        assert client.get(f"{evil.url}/log").status_code == 200
        with pytest.raises(ProviderError, match="uscdr did not send a request with credentials to"):
            client.get(f"{evil.url}/log", headers={"Cookie": "sessionid=canary"})
    assert len(evil.heard) == 1


def test_a_file_of_authorities_that_is_a_pipe_is_said_at_once(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "ca.pem")
    with pytest.raises(ConfigError, match="as PEM certificates"):
        trust(tmp_path / "ca.pem")


@pytest.mark.parametrize("header", ["Authorization", "Cookie"])
@pytest.mark.parametrize("other", ["http://api.example:8443", "https://api.example", "https://evil.example:8443"])
def test_another_scheme_host_or_port_is_another_address(other: str, header: str) -> None:
    asked = list[str]()

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200)

    bound = _BoundTransport(httpx.MockTransport(answer), "https://api.example:8443", provider="p")
    with httpx.Client(transport=bound, headers={header: "canary"}) as client:
        client.get("https://api.example:8443/here")
        with pytest.raises(ProviderError, match="uscdr did not send a request with credentials to"):
            client.get(f"{other}/there")
    assert asked == ["https://api.example:8443/here"]
