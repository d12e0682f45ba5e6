"""Real handshakes on loopback: what a browser would accept, what it would refuse and why."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from uscdr.errors import ProviderError
from uscdr.models.probes import Certificate
from uscdr.providers.probes.tls import TlsProbe

HOST = "clinic.example"
NOW = datetime.now(UTC).replace(microsecond=0)
Serve = Callable[[socket.socket], None]


@contextmanager
def listening(serve: Serve) -> Iterator[tuple[str, int]]:
    """Each connection is given to `serve`, until the test is over."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_accept, args=(server, serve))
        thread.start()
        try:
            yield server.getsockname()
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def _accept(server: socket.socket, serve: Serve) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(5)
            try:
                serve(connection)
            except OSError:
                continue  # the client refused the certificate


class Tls:
    """Serves one certificate, and notes the names that were asked for."""

    def __init__(self, certificate: trustme.LeafCert) -> None:
        self.names: list[str | None] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(self._context)
        self._context.sni_callback = lambda _, name, __: self.names.append(name)

    def __call__(self, connection: socket.socket) -> None:
        with self._context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(1)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA(organization_name="Clinic Test Authority")


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def seen(serve: Serve, ca_file: Path | None) -> Certificate:
    with listening(serve) as address:
        return TlsProbe(ca_file=ca_file, address=address, timeout=5).certificate(HOST)


def test_a_good_certificate(authority: trustme.CA, ca_file: Path) -> None:
    end = NOW + timedelta(days=40)
    server = Tls(authority.issue_cert(HOST, not_after=end))
    found = seen(server, ca_file)
    assert (found.problem, found.hostname, found.issuer) == ("", HOST, "Clinic Test Authority")
    assert (found.expires_at, found.protocol) == (end, "TLSv1.3")
    assert server.names == [HOST]


def test_a_certificate_that_ran_out(authority: trustme.CA, ca_file: Path) -> None:
    end = NOW - timedelta(days=3)
    found = seen(Tls(authority.issue_cert(HOST, not_before=NOW - timedelta(days=90), not_after=end)), ca_file)
    assert (found.problem, found.expires_at, found.issuer) == ("expired", end, "Clinic Test Authority")


def test_a_certificate_of_tomorrow(authority: trustme.CA, ca_file: Path) -> None:
    start = NOW + timedelta(days=1)
    found = seen(Tls(authority.issue_cert(HOST, not_before=start, not_after=NOW + timedelta(days=90))), ca_file)
    assert (found.problem, found.valid_from) == ("not yet valid", start)


def test_a_certificate_of_another_name(authority: trustme.CA, ca_file: Path) -> None:
    end = NOW + timedelta(days=40)
    found = seen(Tls(authority.issue_cert("other.example", not_after=end)), ca_file)
    assert (found.problem, found.expires_at) == ("issued for another name", end)


def test_a_certificate_of_an_unknown_authority(ca_file: Path) -> None:
    end = NOW + timedelta(days=40)
    stranger = trustme.CA(organization_name="Stranger")
    found = seen(Tls(stranger.issue_cert(HOST, not_after=end)), ca_file)
    assert found.problem == "its issuer is not trusted, or the server does not send the chain"
    assert (found.issuer, found.expires_at) == ("Stranger", end)


def test_a_chain_with_its_middle_left_out(authority: trustme.CA, ca_file: Path) -> None:
    certificate = authority.create_child_ca().issue_cert(HOST)
    assert seen(Tls(certificate), ca_file).problem == ""
    alone = trustme.LeafCert(certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes(), [])
    assert seen(Tls(alone), ca_file).problem == "its issuer is not trusted, or the server does not send the chain"


def test_a_certificate_that_speaks_for_itself(ca_file: Path) -> None:
    end = NOW + timedelta(days=40)
    found = seen(Tls(self_signed(HOST, end)), ca_file)
    assert (found.problem, found.expires_at) == ("self-signed", end)


def self_signed(host: str, end: datetime) -> trustme.LeafCert:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW - timedelta(days=1), end)
    signed = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False).sign(
        key, hashes.SHA256()
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return trustme.LeafCert(private, signed.public_bytes(serialization.Encoding.PEM), [])


def test_the_usual_authorities_alone(authority: trustme.CA) -> None:
    assert seen(Tls(authority.issue_cert(HOST)), None).problem.startswith("its issuer is not trusted")


def test_a_certificate_that_changes_between_two_looks(authority: trustme.CA, ca_file: Path) -> None:
    servers = [Tls(authority.issue_cert("other.example")) for _ in range(3)]

    def next_one(connection: socket.socket) -> None:
        servers.pop()(connection)

    found = seen(next_one, ca_file)
    assert (found.problem, found.expires_at, servers) == ("issued for another name", None, [])


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
    with pytest.raises(ProviderError, match="uscdr could not reach") as raised:
        TlsProbe(address=address, timeout=5).certificate(HOST)
    assert raised.value.why == "Connection refused."


def test_what_answers_is_no_tls() -> None:
    with pytest.raises(ProviderError, match="answers, but the TLS handshake failed"):
        seen(lambda connection: connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n"), None)


def test_the_server_knows_no_such_name(authority: trustme.CA, ca_file: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    context.sni_callback = lambda *_: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    with pytest.raises(ProviderError, match="answers, but the TLS handshake failed"):
        seen(lambda connection: context.wrap_socket(connection, server_side=True).close(), ca_file)


def test_silence_ends() -> None:
    def silent(connection: socket.socket) -> None:
        while connection.recv(4096):
            pass

    with listening(silent) as address, pytest.raises(ProviderError) as raised:
        TlsProbe(address=address, timeout=0.2).certificate(HOST)
    assert raised.value.why == "No answer within the time limit."


@pytest.mark.parametrize("hostname", ["", ".example", "a" * 64 + ".example"])
def test_what_is_no_hostname(hostname: str, authority: trustme.CA) -> None:
    with listening(Tls(authority.issue_cert(HOST))) as address, pytest.raises(ProviderError):
        TlsProbe(address=address, timeout=5).certificate(hostname)


class Page(Tls):
    """Answers every request."""

    def __init__(self, certificate: trustme.LeafCert, answer: bytes) -> None:
        super().__init__(certificate)
        self.asked = b""
        self._answer = answer

    def __call__(self, connection: socket.socket) -> None:
        with self._context.wrap_socket(connection, server_side=True) as tls:
            self.asked = tls.recv(4096)
            tls.sendall(self._answer)


def test_a_page_is_asked_for_in_the_names_own_name(authority: trustme.CA, ca_file: Path) -> None:
    server = Page(authority.issue_cert(HOST), b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")
    with listening(server) as address:
        assert TlsProbe(ca_file=ca_file, address=address, timeout=5).answer(HOST, "192.0.2.1") == 302
    assert server.names == [HOST]
    assert server.asked.startswith(b"GET / HTTP/1.1\r\nHost: " + HOST.encode())


@pytest.mark.parametrize(
    ("served", "answer", "words"),
    [("other.example", b"HTTP/1.1 200 OK\r\n\r\n", "not valid"), (HOST, b"rubbish\r\n\r\n", "reach")],
)
def test_no_page_without_a_trusted_certificate_or_an_answer(
    served: str, answer: bytes, words: str, authority: trustme.CA, ca_file: Path
) -> None:
    with listening(Page(authority.issue_cert(served), answer)) as address, pytest.raises(ProviderError, match=words):
        TlsProbe(ca_file=ca_file, address=address, timeout=5).answer(HOST)
