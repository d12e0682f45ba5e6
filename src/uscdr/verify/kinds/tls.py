"""Whether browsers accept the certificates that users are served, and will next week."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from uscdr.errors import ProviderError
from uscdr.models.destination import Destination
from uscdr.models.probes import Certificate
from uscdr.verify.check import CheckSpec, Provider
from uscdr.verify.kinds.weighing import weighed
from uscdr.verify.verdict import Finding
from uscdr.verify.world import World

HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_*][A-Za-z0-9_.-]{0,252}$")]
ANY = "any"
"""The label that stands for `*`: whoever serves a wildcard serves it."""


class TlsCheck(CheckSpec):
    """The certificates of the users' hostnames."""

    kind: Literal["tls"]
    hostnames: Annotated[tuple[HostName, ...], Destination()] = ()
    """Instead of those of the target's `dns` part."""
    days: Annotated[int, Field(ge=0)] = 14
    """How long each must last at least."""

    provider: ClassVar[Provider] = "tls"


def run(name: str, spec: TlsCheck, world: World) -> Finding:  # noqa: ARG001 - the form of every kind
    """A handshake with each."""
    hostnames = spec.hostnames or world.expected.hostnames
    if not hostnames:
        return Finding("not checked", "no hostname is configured: dns.hostnames of the target, or hostnames here")
    problems, doubts, ends = [], [], []
    for hostname in hostnames:
        try:
            certificate = world.tls.certificate(hostname.replace("*", ANY, 1))
        except ProviderError as error:
            doubts.append(error.message)
            continue
        problem = _problem(certificate, spec.days, world.now())
        problems += [f"{hostname}: {problem}"] if problem else []
        ends += [certificate.expires_at] if certificate.expires_at else []
        if not problem and certificate.expires_at is None:
            doubts.append(f"{hostname}: until when its certificate lasts could not be read")
    return weighed(problems, doubts, _good(hostnames, ends, world.now()))


def _problem(seen: Certificate, days: int, now: datetime) -> str:
    if seen.problem:
        dates = (("from", seen.valid_from if seen.valid_from and seen.valid_from > now else None),
                 ("until", seen.expires_at))  # fmt: skip
        valid = ", ".join(f"{word} {moment:%Y-%m-%d}" for word, moment in dates if moment)
        return f"its certificate is not accepted: {seen.problem}" + (f" (valid {valid})" if valid else "")
    if seen.expires_at and seen.expires_at - now < timedelta(days=days):
        left = (seen.expires_at - now).total_seconds() / 86400
        return f"its certificate ends in {left:.0f} days ({seen.expires_at:%Y-%m-%d}), at least {days} are wanted"
    return ""


def _good(hostnames: tuple[str, ...], ends: list[datetime], now: datetime) -> str:
    first = min(ends, default=now)
    return f"{', '.join(hostnames)}: trusted, {(first - now).days} days left at least (until {first:%Y-%m-%d})"
