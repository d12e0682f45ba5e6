"""An operator's code in a drill reaches the sandbox's own servers, and nothing else."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from uscdr.sandbox.dynos.withholding import withheld

ASKS = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20).close()
    print("reached")
except OSError as error:
    print(type(error).__name__)
"""


@contextmanager
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def asked(host: str, port: int, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", ASKS, host, str(port)],
        env=withheld(variables),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    "url", ["postgres://me:pass@127.0.0.1:{}/db", "rediss://:word@localhost:{}", "postgresql://127.0.0.1:{}/d"]
)
def test_its_database_and_its_broker_are_reached(url: str) -> None:
    with listening() as port:
        assert asked("127.0.0.1", port, SOME_URL=url.format(port)) == "reached"


def test_another_server_of_this_machine_is_not_even_if_a_variable_names_it() -> None:
    with listening() as port, listening() as other:
        variables = {"DATABASE_URL": f"postgres://127.0.0.1:{port}/x", "RELAY": f"smtp://127.0.0.1:{other}"}
        assert asked("127.0.0.1", other, **variables) == "ConnectionRefusedError"


@pytest.mark.parametrize(("host", "says"), [("192.0.2.7", "ConnectionRefusedError"), ("mail.example.com", "gaierror")])
def test_no_other_machine_is_asked_and_no_name_is_looked_up(host: str, says: str) -> None:
    assert asked(host, 25) == says


def test_proxies_refuse_and_the_codes_own_path_stays() -> None:
    found = withheld({"PYTHONPATH": "lib", "HTTPS_PROXY": "http://proxy.example", "PORT": "5000"})
    assert found["HTTPS_PROXY"] == found["http_proxy"] == "http://127.0.0.1:9"
    assert found["PYTHONPATH"].endswith(":lib")
    assert found["USCDR_SANDBOX_PORTS"] == "5000"
