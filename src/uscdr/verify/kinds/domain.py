"""Whether every name server leads the users' hostnames to this application."""

from __future__ import annotations

from typing import ClassVar, Literal

from uscdr.models.dns import RecordSet, RecordType, ServerAnswer, Sighting
from uscdr.models.provision import Domain
from uscdr.providers.ports.dns import Verifier
from uscdr.providers.ports.leading import led
from uscdr.verify.check import CheckSpec, Provider
from uscdr.verify.kinds.weighing import weighed
from uscdr.verify.verdict import Finding
from uscdr.verify.world import World

MOST = 4
"""Servers that are named."""


class DomainCheck(CheckSpec):
    """The hostnames of the target's `dns` part."""

    kind: Literal["domain"]

    provider: ClassVar[Provider] = "dns"


def run(name: str, spec: DomainCheck, world: World) -> Finding:  # noqa: ARG001 - the form of every kind
    """Each hostname is bound to the application, and every authoritative server names its DNS target."""
    if world.verifier is None:
        return Finding("not checked", "the target has no domain")
    hostnames = world.expected.hostnames
    if not hostnames:
        return Finding("not checked", "no hostname is configured: dns.hostnames of the target")
    bound = {one.hostname.lower(): one for one in world.facts.domains()}
    problems, doubts = [], []
    for hostname in hostnames:
        problem, doubt = _judge(hostname, bound.get(hostname.lower()), world.verifier)
        problems += [problem] if problem else []
        doubts += [doubt] if doubt else []
    return weighed(problems, doubts, f"every name server leads {', '.join(hostnames)} to the application")


def _judge(hostname: str, domain: Domain | None, verifier: Verifier) -> tuple[str, str]:
    """What is wrong, and what is not known."""
    if domain is None:
        return f"{hostname} is not bound to the application", ""
    if domain.cname is None:
        return "", f"the platform has no DNS target for {hostname} yet"
    target = domain.cname.lower().rstrip(".")
    kind, sighting = led(verifier, hostname, target)
    return _compared(hostname, target, kind, sighting)


def _compared(hostname: str, target: str, kind: RecordType, sighting: Sighting) -> tuple[str, str]:
    wanted = RecordSet(name=hostname.lower(), type=kind, ttl=0, values=(target,))
    if sighting.all_say(wanted):
        return "", ""
    others = [one for one in sighting.answers if not wanted.same_values(one.records)]
    wrong = [one for one in others if one.state != "timeout"]
    silent = ", ".join(_named(one) for one in others if one.state == "timeout")
    if wrong:
        return f"{hostname} should lead to {target}, but {'; '.join(_says(one) for one in wrong[:MOST])}", ""
    return "", f"{hostname}: no answer from {silent or 'any name server'}"


def _says(answer: ServerAnswer) -> str:
    if answer.records is not None and answer.borrowed:
        return f"{_named(answer)} has no such record and lets a wildcard say {' '.join(answer.records.values)}"
    if answer.records is not None:
        return f"{_named(answer)} says {' '.join(answer.records.values)}"
    words = {"refused": "refuses to be asked", "lame": "does not serve the zone"}
    return f"{_named(answer)} {words.get(answer.state, 'has no such record')}"


def _named(answer: ServerAnswer) -> str:
    host, address = answer.server.host, answer.server.address
    return host if host == address else f"{host} ({address})"
