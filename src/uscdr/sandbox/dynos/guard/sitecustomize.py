# ruff: noqa: INP001 - a directory of PYTHONPATH, and no package
"""Loaded by the interpreter of an operator's code in a drill: refuses every connection but to the sandbox's servers.

It runs in whatever Python the operator has, before the code, and cannot be taken away by it. Nothing of uscdr is
imported here.
"""

import os
import socket
import sys

_PORTS = frozenset(filter(None, os.environ.get("USCDR_SANDBOX_PORTS", "").split(",")))
_HOSTS = ("127.0.0.1", "::1", "localhost", "")


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook."""
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        if isinstance(address, tuple) and not (address[0] in _HOSTS and str(address[1]) in _PORTS):
            raise ConnectionRefusedError(111, "Connection refused: this is a drill")
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0].decode("ascii", "replace") if isinstance(arguments[0], bytes) else arguments[0]
        if host is not None and not _is_number(str(host)) and host not in _HOSTS:
            raise socket.gaierror(socket.EAI_NONAME, "Name not known: this is a drill")


def _is_number(host: str) -> bool:
    """Whether it is an address, which is judged when it is connected to."""
    return ":" in host or host.replace(".", "").isdigit()


if "USCDR_SANDBOX_PORTS" in os.environ:
    sys.addaudithook(_refuse)
