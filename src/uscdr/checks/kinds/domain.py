"""Whether every name server points the users' hostnames to this application."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from uscdr.checks.check import CheckSpec, Provider
from uscdr.checks.verdict import Finding
from uscdr.errors import ProviderError
from uscdr.models.base import Destination
from uscdr.models.dns import RecordSet, RecordType, ServerAnswer, Sighting
from uscdr.providers.ports.dns import Pointing, Verifier

if TYPE_CHECKING:
    from uscdr.checks.context import CheckContext
    from uscdr.models.heroku import Domain
    from uscdr.models.probes import Certificate

MOST = 4
"""The most servers that a message names."""
AT_ONCE = 4
"""Hostnames that are looked up at the same time."""


class DomainCheck(CheckSpec):
    """The hostnames of the target's `dns` part."""

    kind: Literal["domain"]

    provider: ClassVar[Provider] = "dns"

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        from uscdr.threads import side_by_side

        if context.verifier is None:
            return Finding("not checked", "the target has no domain")
        hostnames = context.expected.hostnames
        if not hostnames:
            return Finding("not checked", "no hostname is configured: dns.hostnames of the target")
        bound = {one.hostname.lower(): one for one in context.facts.domains()}
        looks = [partial(_judge, one, bound.get(one.lower()), context.verifier) for one in hostnames]
        judged = side_by_side(looks, workers=AT_ONCE)
        problems = [problem for problem, _ in judged if problem]
        doubts = [doubt for _, doubt in judged if doubt]
        return Finding.weighed(problems, doubts, f"every name server points {', '.join(hostnames)} to the application")


def _judge(hostname: str, domain: Domain | None, verifier: Verifier) -> tuple[str, str]:
    """The problem and the doubt; each may be empty."""
    if domain is None:
        return f"{hostname} is not a domain of the application", ""
    if domain.cname is None:
        return "", f"the platform has no DNS target for {hostname} yet"
    target = domain.cname.lower().rstrip(".")
    seen = Pointing.seen(verifier, hostname, target)
    return _compared(hostname, target, seen.kind, seen.sighting)


def _compared(hostname: str, target: str, kind: RecordType, sighting: Sighting) -> tuple[str, str]:
    wanted = RecordSet(name=hostname.lower(), type=kind, ttl=0, values=(target,))
    if sighting.all_say(wanted):
        return "", ""
    others = [one for one in sighting.answers if not wanted.same_values(one.records)]
    wrong = [one for one in others if one.state != "timeout"]
    silent = ", ".join(_named(one) for one in others if one.state == "timeout")
    if wrong:
        return f"{hostname} must point to {target}, but {'; '.join(_says(one) for one in wrong[:MOST])}", ""
    return "", f"{hostname}: no answer from {silent or 'any name server'}"


def _says(answer: ServerAnswer) -> str:
    if answer.records is not None and answer.borrowed:
        return f"{_named(answer)} has no such record, and a wildcard returns {' '.join(answer.records.values)}"
    if answer.records is not None:
        return f"{_named(answer)} returns {' '.join(answer.records.values)}"
    words = {"refused": "refuses queries", "lame": "does not serve the zone"}
    return f"{_named(answer)} {words.get(answer.state, 'has no such record')}"


def _named(answer: ServerAnswer) -> str:
    host, address = answer.server.host, answer.server.address
    return host if host == address else f"{host} ({address})"


# Whether browsers accept the users' certificates, now and next week.


HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_*][A-Za-z0-9_.-]{0,252}$")]
ANY = "any"
"""The label that replaces `*`: a server with a wildcard certificate serves it."""


class TlsCheck(CheckSpec):
    """The certificates of the users' hostnames."""

    kind: Literal["tls"]
    hostnames: Annotated[tuple[HostName, ...], Destination()] = ()
    """Hostnames in place of those of the target's `dns` part."""
    days: Annotated[int, Field(ge=0)] = 14
    """The least remaining validity."""

    provider: ClassVar[Provider] = "tls"

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        hostnames = self.hostnames or context.expected.hostnames
        if not hostnames:
            return Finding("not checked", "no hostname is configured: dns.hostnames of the target, or hostnames here")
        problems, doubts, ends = [], [], []
        for hostname in hostnames:
            try:
                certificate = context.tls.certificate(hostname.replace("*", ANY, 1))
            except ProviderError as error:
                doubts.append(error.message)
                continue
            problem = _problem(certificate, self.days, context.now())
            problems += [f"{hostname}: {problem}"] if problem else []
            ends += [certificate.expires_at] if certificate.expires_at else []
            if not problem and certificate.expires_at is None:
                doubts.append(f"{hostname}: the expiry date of its certificate is unreadable")
        return Finding.weighed(problems, doubts, _good(hostnames, ends, context.now()))


def _problem(seen: Certificate, days: int, now: datetime) -> str:
    if seen.problem:
        dates = (("from", seen.valid_from if seen.valid_from and seen.valid_from > now else None),
                 ("until", seen.expires_at))  # fmt: skip
        valid = ", ".join(f"{word} {moment:%Y-%m-%d}" for word, moment in dates if moment)
        return f"its certificate is not accepted: {seen.problem}" + (f" (valid {valid})" if valid else "")
    if seen.expires_at and seen.expires_at - now < timedelta(days=days):
        left = (seen.expires_at - now).total_seconds() / 86400
        return f"its certificate ends in {left:.0f} days ({seen.expires_at:%Y-%m-%d}), at least {days} are required"
    return ""


def _good(hostnames: tuple[str, ...], ends: list[datetime], now: datetime) -> str:
    first = min(ends, default=now)
    return f"{', '.join(hostnames)}: trusted, {(first - now).days} days left at least (until {first:%Y-%m-%d})"
