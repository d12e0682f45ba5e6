"""Opening clients: roots, proxies, private addresses."""

import socket
import ssl
import threading
from pathlib import Path

import pytest
import trustme

from uscdr.errors import ConfigError
from uscdr.providers.http.client import is_private, trust
from uscdr.providers.http.transport import proxy_for


def test_a_private_authority_is_trusted_beside_the_public_ones(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    public, both = _authorities(trust()), _authorities(trust(path))
    assert public > 10
    assert both == public + 1


def _authorities(context: ssl.SSLContext) -> int:
    """How many the context trusts once a connection begins."""
    context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="api.heroku.com")
    return context.cert_store_stats()["x509_ca"]


def test_a_connection_over_a_socket_trusts_them_too() -> None:
    context = trust()
    with socket.socket() as plain, context.wrap_socket(plain, server_hostname="api.heroku.com"):
        assert context.cert_store_stats()["x509_ca"] > 10


def test_no_roots_are_loaded_before_a_connection() -> None:
    assert trust().cert_store_stats()["x509_ca"] == 0


def test_connections_that_are_opened_at_once_load_the_roots_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loads, both = list[int](), threading.Barrier(2)
    real = ssl.SSLContext.load_default_certs

    def load(context: ssl.SSLContext) -> None:
        loads.append(1)
        real(context)

    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", load)
    context = trust()

    def connect() -> None:
        both.wait(30)
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")

    threads = [threading.Thread(target=connect) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert loads == [1]


def test_a_ca_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.pem"):
        trust(tmp_path / "missing.pem")


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("https://api.heroku.com", True),
        ("http://127.0.0.1:5000", True),
        ("http://localhost:5000", True),
        ("http://[::1]:5000", True),
        ("http://api.heroku.com", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://localhost.evil.example", False),
        ("http://user@127.0.0.1:x@evil.example", False),
        ("ftp://127.0.0.1", False),
        ("", False),
    ],
)
def test_what_nobody_can_read_along(url: str, private: bool) -> None:
    assert is_private(url) is private


def test_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert proxy_for("https://api.heroku.com") is None
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "status.example")
    assert proxy_for("https://status.example") is None
    assert proxy_for("https://api.heroku.com") == "http://proxy.example:3128"
    monkeypatch.delenv("no_proxy")
    assert proxy_for("https://127.0.0.1:5443") is None
