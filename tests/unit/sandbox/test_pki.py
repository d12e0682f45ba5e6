"""The private authority and its certificate."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest

from uscdr.sandbox import pki


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_both_names_verify(tmp_path: Path, host: str) -> None:
    certificates = pki.create(tmp_path / "pki")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = threading.Thread(target=answer_once, args=(listening, certificates.server_context()))
        server.start()
        context = ssl.create_default_context(cafile=str(certificates.ca_file))
        with (
            socket.create_connection(listening.getsockname()) as plain,
            context.wrap_socket(plain, server_hostname=host) as client,
        ):
            assert client.recv(2) == b"ok"
        server.join()


def answer_once(listening: socket.socket, context: ssl.SSLContext) -> None:
    plain, _ = listening.accept()
    with context.wrap_socket(plain, server_side=True) as connection:
        connection.sendall(b"ok")


def test_create_again_keeps_the_files(tmp_path: Path) -> None:
    first = pki.create(tmp_path)
    content = first.ca_file.read_bytes()
    assert pki.create(tmp_path) == first
    assert first.ca_file.read_bytes() == content


def test_private_key_is_private(tmp_path: Path) -> None:
    assert pki.create(tmp_path).key.stat().st_mode & 0o777 == 0o600
