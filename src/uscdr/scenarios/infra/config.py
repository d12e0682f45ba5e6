"""Config of the new place: everything the old one had, but for the few that must change. Pure.

What holds an address of the old place is found by value: it is rewritten where that is exact, else left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import urlsplit

from pydantic import SecretStr

from uscdr.scenarios.infra.addresses import (
    NEW,
    Address,
    holds,
    host_in,
    host_moved,
    is_part,
    moved,
    names_data,
    secrets_in,
)
from uscdr.scenarios.model_recovery import Recovery

_PART = re.compile(
    r"(?P<stem>\w+?)_?(HOST(NAME)?|SERVER|PORT|USER(NAME)?|(DB)?NAME|DATABASE|DB|PASS(WORD)?|PWD)",
    re.IGNORECASE,
)
NOT_EXACT = "an address of {} that cannot be rewritten exactly"
NOT_MADE = "of {}, which is not made anew"
ELSEWHERE = "copied as it is, and names a database or queue that is no add-on of the application"
ATTACH = "of {} of another application, {}: attach it by hand"
STAYS = "copied as it is, and names {}, which stays as it is"
NOT_OURS = "copied as it is, and names neither the old application nor one of its hostnames"


class Fate(Enum):
    """What becomes of an add-on of the old place."""

    ANEW = "made anew"
    GONE = "not made anew"
    STAYS = "of another application"


@dataclass(frozen=True)
class Known:
    """An address of the old place: of which add-on, what becomes of that, and the address that takes its place."""

    addon: str
    fate: Fate
    old: Address = field(repr=False)
    new: Address | None = field(repr=False)
    """None when the new add-on does not tell one."""


@dataclass(frozen=True)
class Surroundings:
    """What is known of both places. `hosts` are the names of the old application at the platform."""

    known: Sequence[Known] = ()
    living: Sequence[Address] = ()
    """Of add-ons that the application has now and keeps."""
    made: frozenset[str] = frozenset()
    """Variables that the new add-ons set."""
    not_made: Mapping[str, str] = field(default_factory=dict)
    """Variables of add-ons that are not made anew, and why those are not."""
    hosts: Sequence[str] = ()
    names: Sequence[str] = ()
    """Hostnames that lead to the application wherever it is."""
    new_url: str | None = None
    """Of the new application at the platform; None before it is made, empty when the platform tells none."""


@dataclass(frozen=True)
class NewConfig:
    """`values` are set in one call before the first deploy; `withheld` after the switch; `left` never, and why."""

    values: Mapping[str, SecretStr] = field(repr=False)
    withheld: Mapping[str, SecretStr] = field(repr=False)
    changed: tuple[str, ...]
    from_addons: tuple[str, ...]
    left: Mapping[str, str] = field(default_factory=dict)
    doubtful: Mapping[str, str] = field(default_factory=dict)
    """Copied as they are, and why a person should look at them."""


def new_config(old: Mapping[str, SecretStr], recovery: Recovery, around: Surroundings) -> NewConfig:
    """Which value each variable gets."""
    texts = {name: value.get_secret_value() for name, value in sorted(old.items())}
    values: dict[str, SecretStr] = {}
    withheld: dict[str, SecretStr] = {}
    changed: list[str] = []
    left: dict[str, str] = {}
    doubtful: dict[str, str] = {}
    for name, text in texts.items():
        if name in around.made:
            continue
        if name in around.not_made:
            left[name] = around.not_made[name]
            continue
        fresh, why = _with_services(name, texts, around)
        if fresh is None:
            left[name] = why
            continue
        fresh = _with_hosts(name, fresh, recovery, around)
        if name in recovery.own_address and text and fresh == text and not _names_us(text, around):
            why = NOT_OURS
        if why:
            doubtful[name] = why
        if fresh != text:
            changed.append(name)
        (withheld if name in recovery.silenced else values)[name] = SecretStr(fresh)
    return NewConfig(values, withheld, tuple(changed), tuple(sorted(around.made & old.keys())), left, doubtful)


def _with_services(name: str, texts: Mapping[str, str], around: Surroundings) -> tuple[str | None, str]:
    """The text with the addresses of the new add-ons, and what a person should know; None when it may not be set."""
    text, doubt = texts[name], ""
    meant = _meant(name, texts, around.known)
    for one in meant:
        if one.fate is Fate.GONE:
            return None, NOT_MADE.format(one.addon)
        if one.fate is Fate.STAYS:
            doubt = STAYS.format(one.addon)
            continue
        fresh = moved(text, one.old, one.new) if one.new is not None else None
        if fresh is None:
            return None, NOT_EXACT.format(one.addon)
        text = fresh
    elsewhere = not meant and names_data(text) and not any(holds(text, one) for one in around.living)
    return text, doubt or (ELSEWHERE if elsewhere else "")


def _meant(name: str, texts: Mapping[str, str], known: Sequence[Known]) -> list[Known]:
    """The addresses that the text holds: by what only they have, else by the server, which several may share.

    Of an add-on's several addresses those are meant that the text has most of.
    """
    text = texts[name]
    found = [(secrets_in(text, one.old) or _goes_with(name, texts, one.old), one) for one in known]
    most = {addon: max(n for n, one in found if one.addon == addon) for addon in {one.addon for one in known}}
    sure = [one for number, one in found if number and number == most[one.addon]]
    return sure or [one for one in known if holds(text, one.old)]


def _goes_with(name: str, texts: Mapping[str, str], address: Address) -> bool:
    """Whether it is a port, name or host alone whose meaning only the variables beside it tell: `PGPORT`."""
    mine = _PART.fullmatch(name)
    if mine is None or texts[name].strip() not in _parts(address):
        return False
    beside = (_PART.fullmatch(other) for other in texts if other != name)
    stem = mine["stem"].lower()
    return any(other and other["stem"].lower() == stem and is_part(texts[other[0]], address) for other in beside)


def _parts(address: Address) -> Iterator[str]:
    return (found for name in ("host", "port", "user", "password", "database") if (found := address.part(name)))


def _with_hosts(name: str, text: str, recovery: Recovery, around: Surroundings) -> str:
    """The text with the new application's name in place of the old one's; the list of names gets it beside that."""
    new = NEW.host if around.new_url is None else urlsplit(around.new_url).netloc.lower()
    if not new:
        return text
    if name == recovery.hosts:
        bare = new.partition(":")[0]  # a list of allowed hosts knows no ports
        return text if not around.new_url or _lists(text, bare) else f"{text},{bare}" if text else bare
    for host in around.hosts:
        if host_in(text, host):
            text = host_moved(text, host, new)
    return text


def _names_us(text: str, around: Surroundings) -> bool:
    return not around.hosts or any(host_in(text, host) for host in (*around.hosts, *around.names))


def _lists(hosts: str, bare: str) -> bool:
    """Whether a list of allowed hosts has this one, by name or by a leading dot."""
    listed = [entry.strip().lower() for entry in hosts.split(",")]
    return any(entry in ("*", bare) or (entry.startswith(".") and bare.endswith(entry)) for entry in listed)
