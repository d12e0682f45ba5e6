"""Whether the broker between web and worker answers, and its messages are taken."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, SecretStr

from uscdr.errors import BadInput, ProviderError
from uscdr.models.probes import QueueFacts
from uscdr.verify.check import CheckSpec, Provider
from uscdr.verify.kinds.config import value_of
from uscdr.verify.verdict import Finding
from uscdr.verify.world import World

OTHERS = ("amqp", "amqps", "sqs")
"""Brokers that an application may use and that cannot be asked from here."""


class QueueCheck(CheckSpec):
    """The broker that the application is configured for."""

    kind: Literal["queue"]
    variable: str = "REDIS_URL"
    first: str = "CELERY_BROKER_URL"
    """Taken instead where it is set, as the application does."""
    queues: tuple[str, ...] = ("celery",)
    most: Annotated[int, Field(ge=0)] = 200
    """Messages that may wait in one queue."""

    may_be_empty: ClassVar[frozenset[str]] = CheckSpec.may_be_empty | {"first"}
    provider: ClassVar[Provider] = "queue"


def run(name: str, spec: QueueCheck, world: World) -> Finding:  # noqa: ARG001 - the form of every kind
    """Ask it. One that cannot be used fails: no patient with an account can be saved without it."""
    values = world.facts.config()
    used = spec.first if value_of(values, spec.first) else spec.variable
    url = value_of(values, used)
    if not url:
        return Finding("fail", f"{spec.variable} is not set: the application has no message broker")
    if url.partition("://")[0].lower() in OTHERS:
        return Finding("inconclusive", f"{used} names a broker of a kind that cannot be asked from here")
    try:
        seen = world.queue.look(SecretStr(url), spec.queues)
    except BadInput:
        return Finding("fail", f"{used} is no address of a message broker")
    except ProviderError as error:
        why = f" ({error.why.rstrip('.').lower()})" if error.why else ""
        words = f"{error.message.rstrip('.')}{why}: the application, by the same {used}, cannot use it either"
        return Finding("fail", words)
    return _waiting(seen, spec.most)


def _waiting(seen: QueueFacts, most: int) -> Finding:
    full = [f"{n} messages wait in {queue}, allowed are {most}" for queue, n in seen.waiting.items() if n > most]
    if full:
        return Finding("fail", f"{'; '.join(full)}: does a worker take them?")
    words = ["the broker answers" + (f" (Redis {seen.version})" if seen.version else "")]
    words += [f"{n} messages wait in {queue}" for queue, n in seen.waiting.items()]
    return Finding("pass", "; ".join(words), {"waiting": dict(seen.waiting)})
