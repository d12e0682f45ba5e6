"""The base of every observation, parameter, result and event: frozen, closed, comparable."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    SerializationInfo,
)

from uscdr.words import duration

REVEAL = {"reveal": True}
"""Serialisation context that writes secrets in full: only for data that is encrypted next."""


class Fact(BaseModel):
    """An immutable record. Unknown fields are an error, so that a typo is found; so are infinite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


# What the closed set in `models/events.py` begins with; it is dear, and the runbook needs no more than these.


class Event(BaseModel):
    """Base of all payloads. `kind` names the payload."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)
    kind: str


class Call(Event):
    """One request that a step will send: method and path, or the tool's name and arguments."""

    kind: Literal["call"] = "call"
    provider: str
    request: str
    writes: bool


_FIRST, _END = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


def is_ours(value: datetime) -> bool:
    """Whether the time is plausible: zone conversion and ages must not overflow."""
    return _FIRST.year <= value.year < _END.year


Moment = Annotated[AwareDatetime, Field(ge=_FIRST, lt=_END)]
"""A time in a stored document: with its zone, and in a plausible range."""

Span = Annotated[float, Field(ge=0, le=1e11)]
"""A duration in seconds."""

ProcessId = Annotated[int, Field(gt=0, lt=1 << 31)]
Count = Annotated[int, Field(ge=0, le=(1 << 63) - 1)]
"""A count or a number of bytes in a stored document."""


def _spelled(value: SecretStr, info: SerializationInfo) -> str:
    reveal = bool(info.context and info.context.get("reveal"))
    return value.get_secret_value() if reveal else str(value)


RevealableSecret = Annotated[SecretStr, PlainSerializer(_spelled)]
"""A secret that serialises masked, unless the context is REVEAL."""

# Parses durations (`4h`, `10m`, `90s`, `7d`) and formats ages; held as seconds.


DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[smhd])")
LONGEST = 100 * 366 * 86400
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(value: object) -> float:
    """`4h` -> 14400.0. Raises ValueError with the allowed forms."""
    match = DURATION.fullmatch(value) if isinstance(value, str) else None
    found = float(match["number"]) * SECONDS[match["unit"]] if match else None
    if found is None or found > LONGEST:
        raise ValueError("write a duration such as 90s, 10m, 4h or 7d, at most a hundred years")
    return found


Duration = Annotated[float, BeforeValidator(seconds)]


CLOCKS = 60.0
"""Seconds that a provider's clock may differ from this machine's without a warning."""


def aged(at: datetime, now: datetime) -> str:
    """The age of a time `at`, in words; a time after `now` has the age 0, with a note."""
    ahead = elapsed(now, at)
    old = duration(elapsed(at, now))
    return old if ahead <= CLOCKS else f"{old} (dated {duration(ahead)} in the future: the clocks differ)"


def elapsed(since: datetime, until: datetime) -> float:
    """Seconds between two times; never negative, because two machines' clocks differ."""
    return max(0.0, (until - since).total_seconds())


# Marks the fields of scenarios.yaml that decide where requests, credentials, keys or code go to or come from.


Location = tuple[str | int, ...]


def _never(_value: Any) -> bool:  # noqa: ANN401 - of any field
    return False


@dataclass(frozen=True)
class Destination:
    """Marks such a field, as `Annotated[str, Destination()]`.

    The default is the provider's own. `harmless` says whether another value is safe from anybody.
    """

    harmless: Callable[[Any], bool] = _never

    @classmethod
    def paths_in(cls, node: Any, at: Location = ()) -> Iterator[Location]:  # noqa: ANN401 - a model's values
        """The paths of the marked fields with a value other than the default; keys as in the file."""
        if isinstance(node, BaseModel):
            for name, field in type(node).model_fields.items():
                value, here = getattr(node, name), (*at, field.alias or name)
                mark = next((one for one in field.metadata if isinstance(one, cls)), None)
                if mark is None:
                    yield from cls.paths_in(value, here)
                elif value != field.get_default(call_default_factory=True) and not mark.harmless(value):
                    yield here
        elif isinstance(node, Mapping):
            for key, value in node.items():
                yield from cls.paths_in(value, (*at, key))
        elif isinstance(node, tuple):
            for place, value in enumerate(node):
                yield from cls.paths_in(value, (*at, place))
