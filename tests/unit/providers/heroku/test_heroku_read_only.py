"""A read-only wiring sends no write, whatever is asked of it."""

import inspect
import re

import httpx
import pytest
from heroku_wire import Connect, StartPeer, answer
from test_heroku_faults import READS, WRITES

from uscdr.errors import ProviderError, WriteRefused
from uscdr.providers.http.transport import READING_POSTS, _only_reads, _ReadOnlyTransport
from uscdr.providers.ports.platform import Backups, Deploys, Platform, Provisioning

pytest_plugins = ("heroku_wire",)


@pytest.mark.parametrize("write", WRITES)
def test_every_write_is_refused_and_nothing_is_sent(
    write: str, peer: StartPeer, connect: Connect, waits: list[float]
) -> None:
    recorded: list[tuple[str, str, bool]] = []
    server = peer(answer(200, {}))
    client = connect(server.url, read_only=True, record=lambda *seen: recorded.append(seen))
    with pytest.raises(WriteRefused) as caught:
        WRITES[write](client)
    assert caught.value.sent is False
    assert (server.requests, recorded, waits) == ([], [], [])


@pytest.mark.parametrize("read", READS)
def test_every_read_is_sent(read: str, peer: StartPeer, connect: Connect) -> None:
    recorded: list[tuple[str, str, bool]] = []
    server = peer(answer(410, {"id": "gone", "message": "gone"}))
    with pytest.raises(ProviderError) as caught:
        READS[read](connect(server.url, read_only=True, record=lambda *seen: recorded.append(seen)))
    assert not isinstance(caught.value, WriteRefused)
    assert len(server.requests) >= 1
    assert all(writes is False for _, _, writes in recorded)


def test_the_record_names_method_path_and_effect(peer: StartPeer, connect: Connect) -> None:
    recorded: list[tuple[str, str, bool]] = []
    server = peer(answer(410, {"id": "gone"}))
    client = connect(server.url, record=lambda *seen: recorded.append(seen))
    for call in (READS["transfer"], WRITES["capture"]):
        with pytest.raises(ProviderError):
            call(client)
    assert recorded == [
        ("GET", "/client/v11/apps/clinic/transfers/1", False),
        ("POST", "/client/v11/databases/db1/backups", True),
    ]


def test_the_tables_of_these_tests_cover_the_ports() -> None:
    """A method that joins a port must join READS or WRITES; whether it writes is said in its docstring."""
    for port in (Platform, Backups, Provisioning, Deploys):
        for name, method in inspect.getmembers(port, inspect.isfunction):
            if name.startswith("_") or name in ("clock", "download", "follow"):
                continue
            writes = re.search(r"\(write\b", method.__doc__ or "")
            assert name in (WRITES if writes else READS)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/client/v11/databases/db1/restores"),
        ("POST", "/client/v11/apps/x/transfers/1/actions/cancel"),
        ("POST", "/client/v11/apps/x/transfers/1/actions/public-url/../cancel"),
        ("POST", "/client/v11/apps/x/y/transfers/1/actions/public-url"),
        ("POST", "/apps/x/log-sessions/extra"),
        ("POST", "/apps/x/dynos"),
        ("POST", "/sources"),
        ("POST", "/apps/x/sources"),
        ("PUT", "/source-blobs/1"),
        ("POST", "//actions/addon-attachments/resolve"),
        ("PUT", "/actions/addon-attachments/resolve"),
        ("PATCH", "/apps/x/log-sessions"),
        ("DELETE", "/apps/x"),
        ("OPTIONS", "/apps/x"),
        ("get", "/apps/x"),
    ],
)
def test_what_is_not_named_is_a_write(method: str, path: str) -> None:
    assert _only_reads(method, path) is False


def test_an_encoded_slash_does_not_make_another_path() -> None:
    transport = _ReadOnlyTransport(httpx.MockTransport(lambda _: httpx.Response(200)), provider="Heroku")
    with httpx.Client(base_url="https://api.example", transport=transport) as client:
        assert client.post("/apps/x%2Fy/log-sessions").status_code == 200
        with pytest.raises(WriteRefused):
            client.post("/apps/x/dynos?/apps/x/log-sessions")


def test_only_three_posts_are_named() -> None:
    assert len(READING_POSTS) == 3
