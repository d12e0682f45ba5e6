"""BIND as primary and NSD as secondary, in the foreground, on free ports of the loopback, in one directory."""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode

PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
KEY_NAME, ALGORITHM = "recovery", "hmac-sha256"
ZONE, FOREIGN, SIGNED, PLATFORM = "usc-pis.example", "partner.example", "signed.example", "herokudns.com"
START_SECONDS = 30.0

HEAD = """$TTL 300
@ SOA ns1 hostmaster 2026010101 60 5 86400 5
@ NS ns1
@ NS ns2
ns1 A 127.0.0.1
ns2 A 127.0.0.1
"""
CONTENT = {
    ZONE: '@ A 192.0.2.10\n@ A 192.0.2.11\n@ MX 10 mail\n@ TXT "v=spf1 -all"\nwww CNAME old.herokudns.com.\n',
    FOREIGN: "www CNAME old.herokudns.com.\n",
    SIGNED: "www CNAME old.herokudns.com.\n",
    PLATFORM: "old A 127.0.0.1\nnew A 127.0.0.1\n",
}

NAMED = """
options {{
    directory "{place}"; pid-file none; session-keyfile "{place}/session.key"; managed-keys-directory "{place}";
    key-directory "{place}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
    recursion no; dnssec-validation no; notify no; allow-transfer {{ none; }}; minimal-responses no;
}};
controls {{ }};
key "{key_name}" {{ algorithm {algorithm}; secret "{key}"; }};
key "stranger" {{ algorithm {algorithm}; secret "{key}"; }};
zone "{zone}" {{
    type primary; file "{zone}.zone"; allow-update {{ key "{key_name}"; }};
    allow-transfer {{ key "{key_name}"; }}; notify explicit; notify-delay 0; also-notify {{ 127.0.0.1 port {second}; }};
}};
zone "{foreign}" {{ type primary; file "{foreign}.zone"; }};
zone "{platform}" {{ type primary; file "{platform}.zone"; }};
zone "{signed}" {{
    type primary; file "{signed}.zone"; allow-update {{ key "{key_name}"; }};
    dnssec-policy default; inline-signing yes;
}};
"""

NSD = """
server:
    ip-address: 127.0.0.1@{second}
    username: ""
    chroot: ""
    zonesdir: "{place}"
    database: ""
    xfrdfile: "{place}/xfrd.state"
    xfrdir: "{place}"
    zonelistfile: "{place}/zone.list"
    pidfile: ""
    server-count: 1
    do-ip6: no
remote-control:
    control-enable: no
key:
    name: "{key_name}"
    algorithm: {algorithm}
    secret: "{key}"
zone:
    name: "{zone}"
    zonefile: "second.zone"
    request-xfr: AXFR 127.0.0.1@{port} {key_name}
    allow-notify: 127.0.0.1 NOKEY
"""


def missing() -> str:
    """What is not installed; empty when everything is there."""
    return ", ".join(program for program in ("named", "nsd") if shutil.which(program, path=PATH) is None)


def free_port() -> int:
    """A port that is free for TCP and UDP at once."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as stream:
            port: int = stream.getsockname()[1]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
                try:
                    datagram.bind(("127.0.0.1", port))
                except OSError:
                    continue
                return port


@dataclass
class NameServers:
    place: Path
    port: int = field(default_factory=free_port)
    second: int = field(default_factory=free_port)
    key: str = field(default_factory=lambda: base64.b64encode(secrets.token_bytes(32)).decode())

    def write(self) -> None:
        for zone, content in CONTENT.items():
            (self.place / f"{zone}.zone").write_text(HEAD + content)
        facts = {
            "place": self.place,
            "port": self.port,
            "second": self.second,
            "key": self.key,
            "key_name": KEY_NAME,
            "algorithm": ALGORITHM,
            "zone": ZONE,
            "foreign": FOREIGN,
            "signed": SIGNED,
            "platform": PLATFORM,
        }
        for name, text in {"named.conf": NAMED, "nsd.conf": NSD}.items():
            path = self.place / name
            path.touch(mode=0o600)
            path.write_text(text.format(**facts))


@contextmanager
def running(place: Path) -> Iterator[tuple[NameServers, subprocess.Popen[bytes]]]:
    """Both servers, answering with the zone's content; the process is that of the secondary."""
    servers = NameServers(place)
    servers.write()
    with ExitStack() as stack:
        stack.enter_context(_process(place, "named", "-g", "-4", "-n", "1", "-c", str(place / "named.conf")))
        _wait(servers.port)
        secondary = stack.enter_context(_process(place, "nsd", "-d", "-c", str(place / "nsd.conf")))
        _wait(servers.second)
        yield servers, secondary


@contextmanager
def _process(place: Path, program: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [shutil.which(program, path=PATH) or program, *arguments]
    with (place / f"{program}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=place, start_new_session=True)
    try:
        yield process
    finally:
        # NSD has children; the session is theirs alone.
        os.killpg(process.pid, signal.SIGCONT)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(port: int) -> None:
    """Until the server answers for the zone with authority."""
    question = dns.message.make_query(ZONE, "SOA", flags=0)
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            answer = dns.query.tcp(question, "127.0.0.1", port=port, timeout=1)
            if answer.rcode() == dns.rcode.NOERROR and answer.answer:
                return
        except (dns.exception.DNSException, OSError, EOFError):
            pass
        assert time.monotonic() < end, "the name server does not answer; see its log"
        time.sleep(0.02)
