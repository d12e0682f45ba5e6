"""The Debian clients, `dig` and `nsupdate`, say the same at the sandbox's servers as at BIND."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess

import pytest
from zone_places import NEW, OLD, Place

LIMIT = 60.0
CLIENTS = ("dig", "nsupdate")


@pytest.fixture(autouse=True)
def _clients() -> None:
    absent = [one for one in CLIENTS if shutil.which(one) is None]
    reason = f"{', '.join(absent)} not installed: run tests/conformance/install_packages.sh"
    if absent and os.geteuid() != 0:
        pytest.skip(reason)
    # Root can install them: their absence is a failure there.
    assert not absent, reason


def dig(place: Place, *words: str, second: bool = False) -> str:
    server = place.servers[int(second)]
    command = ["dig", f"@{server.address}", "-p", str(server.port), "+norecurse", "+tries=1", "+time=5", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=LIMIT).stdout


def said(place: Place, *words: str) -> tuple[str, set[str]]:
    """The status and the flags of an answer."""
    header = next(line for line in dig(place, *words).splitlines() if "status:" in line)
    flags = next(line for line in dig(place, *words).splitlines() if line.startswith(";; flags:"))
    return header.split("status: ")[1].split(",")[0], set(flags.split(":")[1].split(";")[0].split())


def nsupdate(place: Place, *lines: str, zone: str = "", key: str = "", name: str = "") -> str:
    """`done`, or what it complains about. The key goes in by stdin, not by argv."""
    head = [
        f"server 127.0.0.1 {place.servers[0].port}",
        f"zone {zone or place.zone}",
        f"key {place.algorithm}:{name or place.key_name} {key or place.key}",
    ]
    script = "\n".join([*head, *lines, "send", ""])
    done = subprocess.run(["nsupdate", "-v"], check=False, input=script, capture_output=True, text=True, timeout=LIMIT)
    return "done" if done.returncode == 0 else (done.stderr + done.stdout).strip()


def test_a_switch_with_a_prerequisite(place: Place, name: str) -> None:
    switch = [
        f"prereq yxrrset {name}. CNAME {OLD}.",
        f"update delete {name}. CNAME",
        f"update add {name}. 60 CNAME {NEW}.",
    ]
    assert nsupdate(place, *switch) == "done"
    assert dig(place, "+noall", "+answer", name, "CNAME").split() == [f"{name}.", "60", "IN", "CNAME", f"{NEW}."]
    assert "NXRRSET" in nsupdate(place, *switch)
    assert dig(place, "+short", name, "CNAME").strip() == f"{NEW}."


@pytest.mark.parametrize(
    ("prerequisite", "complaint"),
    [
        ("nxdomain {name}.", "YXDOMAIN"),
        ("yxdomain gone.{zone}.", "NXDOMAIN"),
        ("nxrrset {name}. CNAME", "YXRRSET"),
        ("yxrrset {name}. TXT", "NXRRSET"),
        ("yxdomain {name}.", "done"),
        ("nxdomain gone.{zone}.", "done"),
    ],
)
def test_every_prerequisite(place: Place, name: str, prerequisite: str, complaint: str) -> None:
    first = "prereq " + prerequisite.format(name=name, zone=place.zone)
    assert complaint in nsupdate(place, first, f"update delete {name}. CNAME", f"update add {name}. 60 CNAME {NEW}.")


def test_who_may_not(place: Place, name: str) -> None:
    wrong = base64.b64encode(b"not the secret at all, 32 bytes.").decode()
    assert "BADSIG" in nsupdate(place, f"update delete {name}.", key=wrong)
    assert "BADKEY" in nsupdate(place, f"update delete {name}.", name="nobody")
    assert "REFUSED" in nsupdate(place, f"update delete www.{place.foreign_zone}.", zone=place.foreign_zone)
    assert "NOTAUTH" in nsupdate(place, "update delete www.example.org.", zone="example.org")
    assert dig(place, "+short", name, "CNAME").strip() == f"{OLD}."


def test_an_alias_beside_others_is_ignored(place: Place, name: str) -> None:
    assert nsupdate(place, f"update add {place.zone}. 60 CNAME {NEW}.", f"update add {name}. 60 A 192.0.2.9") == "done"
    assert dig(place, "+short", place.zone, "CNAME") == ""
    assert dig(place, "+short", name, "CNAME").strip() == f"{OLD}."


@pytest.mark.parametrize(
    ("words", "status", "authoritative"),
    [
        (("www.{zone}", "CNAME"), "NOERROR", True),
        (("{zone}", "SOA"), "NOERROR", True),
        (("nobody.{zone}", "A"), "NXDOMAIN", True),
        (("{zone}", "AAAA"), "NOERROR", True),
        (("{zone}", "A", "+noedns"), "NOERROR", True),
        (("{zone}", "MX", "+tcp"), "NOERROR", True),
        (("example.org", "A"), "REFUSED", False),
    ],
)
def test_what_is_answered(place: Place, words: tuple[str, ...], status: str, authoritative: bool) -> None:
    found, flags = said(place, *(one.format(zone=place.zone) for one in words))
    assert (found, "aa" in flags, "ra" in flags) == (status, authoritative, False)


def test_a_chain_is_followed_inside_its_zone_only(place: Place, name: str) -> None:
    place.put(name, f"300 CNAME inner.{name}.")
    place.put(f"inner.{name}", f"300 CNAME {OLD}.")
    assert dig(place, "+short", name, "A").split() == [f"inner.{name}.", f"{OLD}."]
    place.put(f"inner.{name}")


def test_a_zone_is_not_given_away(place: Place) -> None:
    assert "Transfer failed" in dig(place, place.zone, "AXFR")
