"""Pings of a monitoring service: what is called, and that no service can hold up or change a command."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest
from pydantic import SecretStr

from ping_service import SECRET, PingService, listening
from uscdr.errors import BadInput, ProviderError
from uscdr.monitoring.ping import Pinger
from uscdr.providers.http import outages
from uscdr.providers.probes import heartbeat
from uscdr.providers.probes.heartbeat import HttpHeartbeat


@pytest.fixture
def service() -> Iterator[PingService]:
    with listening() as service:
        yield service


def pinger(url: str) -> tuple[Pinger, list[str]]:
    warned: list[str] = []
    return Pinger(HttpHeartbeat(SecretStr(url)), warned.append), warned


def free_port() -> int:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_start_success_and_each_failure(service: PingService) -> None:
    told, warned = pinger(service.url)
    told.begun()
    for code in (0, 1, 130):
        told.ended(code)
    assert service.parts == ["/start", "", "/1", "/130"]
    assert {one.partition(" ")[0] for one in service.heard} == {"GET"}
    assert warned == []


def test_nothing_but_the_ping_is_sent(service: PingService) -> None:
    pinger(service.url)[0].ended(1)
    assert service.bodies == [b""]
    assert all(agent.startswith("uscdr/") for agent in service.agents)


@pytest.mark.parametrize(
    ("added", "start", "success"),
    [("", "/start", ""), ("/", "/start", "/"), ("?create=1", "/start?create=1", "?create=1")],
)
def test_the_part_comes_after_the_path(service: PingService, added: str, start: str, success: str) -> None:
    told, _ = pinger(service.url + added)
    told.begun()
    told.ended(0)
    assert service.parts == [start, success]


def test_a_proxy_is_not_asked_on_this_machine(service: PingService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    pinger(service.url)[0].begun()
    assert service.parts == ["/start"]


@pytest.mark.parametrize(("status", "calls"), [(500, 2), (503, 2), (404, 1), (301, 1)])
def test_a_service_that_fails_is_a_warning_without_the_address(service: PingService, status: int, calls: int) -> None:
    service.statuses = [status] * 5
    told, warned = pinger(service.url)
    told.ended(0)
    assert service.parts == [""] * calls, "no redirect is followed"
    (words,) = warned
    assert f"127.0.0.1 did not record this command. GET … answered {status}." in words
    assert SECRET not in words


def test_one_failure_is_tried_again(service: PingService) -> None:
    service.statuses = [502]
    told, warned = pinger(service.url)
    told.begun()
    assert (service.parts, warned) == (["/start", "/start"], [])


def test_a_dead_service_is_a_warning() -> None:
    told, warned = pinger(f"http://127.0.0.1:{free_port()}/{SECRET}")
    told.begun()
    told.ended(3)
    assert ["connection refused" in one for one in warned] == [True, True]
    assert "the end (exit code 3)" in warned[1]
    assert SECRET not in "".join(warned)


def test_a_silent_service_is_left_alone(service: PingService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "SILENCE", httpx.Timeout(0.2))
    service.silent = True
    told, warned = pinger(service.url)
    told.ended(0)
    assert len(service.heard) in (1, 2)
    assert "no answer within the time limit" in warned[0]


def test_an_answer_without_end_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "ANSWER", 0.3)
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/{SECRET}"
        told, warned = pinger(url)

        def drip() -> None:
            with server.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                over = threading.Event()
                while not over.wait(0.02):
                    try:
                        connection.sendall(b" ")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        told.ended(0)
        thread.join(60)
    assert "the answer is too long" in warned[0]


@pytest.mark.parametrize(
    "url",
    [
        f"http://hc.example.org/{SECRET}", f"ftp://127.0.0.1/{SECRET}", f"//hc.example.org/{SECRET}", SECRET,
        f"https://user:pass@hc.example.org/{SECRET}", f"https:///{SECRET}", f"https://hc.example.org/{SECRET}#a",
        f"https://hc.example.org/a {SECRET}", f"https://hc.example.org/{SECRET}\n", f"https://[::1/{SECRET}",
        f"https://hc.example.org:99999/{SECRET}", f"https://hc.example.org:0/{SECRET}",
    ],
)  # fmt: skip
def test_an_address_that_others_could_read_or_nobody_can_call_is_refused(url: str) -> None:
    with pytest.raises(BadInput) as refused:
        HttpHeartbeat(SecretStr(url))
    assert SECRET not in refused.value.reason + refused.value.next_action


def test_the_adapter_raises_what_the_port_says(service: PingService) -> None:
    service.statuses = [404]
    with pytest.raises(ProviderError) as failed:
        HttpHeartbeat(SecretStr(service.url)).tell("start")
    assert (failed.value.provider, failed.value.status) == ("127.0.0.1", 404)
