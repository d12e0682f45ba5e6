"""Config of the new place: everything the old one had, but for the few that must change. Pure.

What holds an address of the old place is found by value: it is rewritten where that is exact, else left out.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from pydantic import SecretStr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from uscdr.scenarios.config import Recovery

# Addresses of services, found in any text by value and never by a variable's name. Pure; nothing of them is shown.


KINDS = {
    **dict.fromkeys(("postgres", "postgresql", "postgis", "pgsql", "psql"), "postgres"),
    **dict.fromkeys(("redis", "rediss"), "redis"),
    **{name: name for name in ("mysql", "mongodb", "amqp", "amqps")},
}
"""Schemes of databases and queues; a program's own may stand before or behind: `db+postgresql`."""
PORTS = {"postgres": 5432, "redis": 6379}
"""By kind, where an address tells none."""
_LOOPBACK = re.compile(r"localhost|127\.\d+\.\d+\.\d+|\[?::1\]?|0\.0\.0\.0")
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?:(?P<user>[^\s:@/?#\"'\\]*)(?P<colon>:)?(?P<password>(?<=:)[^\s@/?#\"'\\]*)?@)?"
    r"(?P<host>\[[^\]\s]+\]|[^\s:/?#,;\"'@\\]+)(?::(?P<port>\d+))?"
    r"(?P<path>/[^\s?#\"',;\\]*)?"
)
_KEYS = {
    "host": ("hostname", "hostaddr", "host", "server", "data source", "endpoint", "address", "addr"),
    "port": ("port",),
    "user": ("username", "user name", "user id", "user", "uid"),
    "password": ("password", "passwd", "pass", "pwd", "secret"),
    "database": ("dbname", "database", "initial catalog", "db", "name"),
}
_PART_OF = {key: part for part, keys in _KEYS.items() for key in keys}
_KEYED = re.compile(
    rf"(?<![A-Za-z0-9])(?P<key>{'|'.join(sorted(_PART_OF, key=len, reverse=True))})"
    r"(?P<sep>[\"']?\s*[=:]\s*[\"']?)(?P<value>[^\s\"'&;,}]+)",
    re.IGNORECASE,
)
LONG, SOME = 12, 8
"""Letters of a password that is found wherever it stands, and of a name that stands alone."""
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")


@dataclass(frozen=True)
class ServiceAddress:
    """Where a service is reached, decoded; what it does not say is empty. `port` is the scheme's own by default."""

    scheme: str = ""
    host: str = field(default="", repr=False)
    port: int | None = field(default=None, repr=False)
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    database: str = field(default="", repr=False)

    def part(self, name: str) -> str:
        """`host`, `port`, `user`, `password` or `database` as text."""
        found = getattr(self, name)
        return "" if found is None else str(found)

    @classmethod
    def of(cls, value: str) -> ServiceAddress:
        """Of an add-on's variable; one that is no address is a password as a whole, when it looks like one."""
        try:
            split = urlsplit(value.strip())
            host, port = split.hostname or "", split.port
        except ValueError:
            host, port = "", None
        if not host:
            return cls(password=value.strip()) if len(value) > LONG and _is_random(value) else cls()
        return cls(
            split.scheme, host, port or PORTS.get(_kind(split.scheme)), unquote(split.username or ""),
            unquote(split.password or ""), unquote(split.path.strip("/")),
        )  # fmt: skip

    def moved(self, text: str, new: ServiceAddress) -> str | None:
        """The text with the new address; None where something of the old one could be left in it."""
        return None if _holds(_moved(text, self, NEW), self) else _moved(text, self, new)


NEW = ServiceAddress("", "new.invalid", 1, "new-user", "new-password", "new-database")
"""Stands for an address that is not made yet."""


def _names_data(text: str) -> bool:
    """Whether a text is, or holds, the address of a database or a queue elsewhere than in the dyno itself."""
    found = _URL.finditer(text)
    return any(
        _kind(one["scheme"]) and not _LOOPBACK.fullmatch(one["host"]) for one in found
    )  # fmt: skip


def _secrets_in(text: str, address: ServiceAddress) -> int:
    """How many of the address's password, user and database a text has, as far as they tell it from others."""
    return max(_secrets(reading, address) for reading in _readings(text))


def _holds(text: str, address: ServiceAddress) -> bool:
    """Whether a text has a part by which the address can be known, its server too, which others may share."""
    return any(_secrets(reading, address) or _server(reading, address) for reading in _readings(text))


def _is_part(text: str, address: ServiceAddress) -> bool:
    """Whether a text is a part of the address by which it can be known, and nothing else."""
    value = text.strip()
    return value in (address.user, address.password, address.database, address.host) and _holds(value, address)


def _moved(text: str, old: ServiceAddress, new: ServiceAddress) -> str:
    for name in ("password", "user", "database", "host", "port"):
        if text.strip() and text.strip() == old.part(name):
            return new.part(name)
    text = _URL.sub(lambda match: _url(match, old, new), text)
    text = _KEYED.sub(lambda match: _keyed(match, old, new), text)
    if old.host and old.port is not None and new.port is not None:
        text = _pair(old).sub(lambda _: f"{new.host}:{new.port}", text)
    return text


def _host_in(text: str, host: str) -> bool:
    """Whether a text names this host, `name` or `name:port`, and not one that it is a part of."""
    return bool(host) and _host(host).search(text) is not None


def _host_moved(text: str, old: str, new: str) -> str:
    """The text with another host."""
    return _host(old).sub(lambda _: new, text)


def _host(host: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.-]){re.escape(host)}(?![\w-])(?!\.\w)(?!:\d)", re.IGNORECASE)


def _pair(address: ServiceAddress) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.-]){re.escape(address.host)}:{address.port}(?!\d)", re.IGNORECASE)


def _readings(text: str) -> Iterator[str]:
    """The text as it stands, and as what reads it may decode it."""
    seen = {text}
    yield text
    for decode in (unquote, lambda one: unquote(unquote(one)), lambda one: one.replace("\\/", "/"), _unpacked):
        found = decode(text)
        if found not in seen:
            seen.add(found)
            yield found


def _unpacked(text: str) -> str:
    """What stands in base64 in it; the text itself when nothing does."""

    def decode(match: re.Match[str]) -> str:
        packed = match[0].rstrip("=").replace("-", "+").replace("_", "/")
        try:
            return base64.b64decode(packed + "=" * (-len(packed) % 4)).decode()
        except (binascii.Error, UnicodeDecodeError):
            return match[0]

    return _BASE64.sub(decode, text)


def _secrets(text: str, address: ServiceAddress) -> int:
    marks = [one for one in (address.user, address.password, address.database) if _is_random(one)]
    found = {one for one in marks if re.search(rf"(?<![\w-]){re.escape(one)}(?![\w-])", text)}
    if len(address.password) >= LONG and address.password in text:
        found.add(address.password)
    return len(found)


def _server(text: str, address: ServiceAddress) -> bool:
    if not address.host:
        return False
    text = _URL.sub(lambda match: "" if _strange(match, address) else match[0], text)
    host = rf"(?<![\w.-]){re.escape(address.host)}(?![\w-])(?!\.\w)"
    if _tells(address.host) and re.search(host, text, re.IGNORECASE):
        return True
    if address.port is not None and _pair(address).search(text):
        return True
    return any(_same_server(one, address) for one in _URL.finditer(text)) or _keyed_server(text, address)


def _strange(match: re.Match[str], address: ServiceAddress) -> bool:
    """Whether this is another database on a server that several share: nothing but the server is the same."""
    said = (match["user"], match["password"], (match["path"] or "").strip("/"))
    own = (address.user, address.password, address.database)
    return all(said) and all(unquote(one or "") != mine for one, mine in zip(said, own, strict=True))


def _is_random(word: str) -> bool:
    """Whether a name or password looks made by a machine, so that finding it is no chance."""
    return len(word) >= SOME and any(map(str.isdigit, word)) and any(map(str.isalpha, word))


def _tells(host: str) -> bool:
    return "." in host and not _LOOPBACK.fullmatch(host)


def _same_server(match: re.Match[str], address: ServiceAddress) -> bool:
    """Another kind of service on the same host is none of this address."""
    kind, own = _kind(match["scheme"]), _kind(address.scheme)
    port = int(match["port"]) if match["port"] else PORTS.get(kind)
    return match["host"].lower() == address.host and port == address.port and kind in ("", own)


def _kind(scheme: str) -> str:
    return next((KINDS[one] for one in scheme.lower().split("+") if one in KINDS), "")


def _keyed_server(text: str, address: ServiceAddress) -> bool:
    found = {_PART_OF[one["key"].lower()]: unquote(one["value"]) for one in _KEYED.finditer(text)}
    if found.get("host", "").lower() != address.host:
        return False
    return any(found.get(name) == address.part(name) != "" for name in ("user", "password", "database"))


def _url(match: re.Match[str], old: ServiceAddress, new: ServiceAddress) -> str:
    """The new address in place of the old one; what is another one's in any part stays as it stands."""
    said = {name: unquote(match[name] or "") for name in ("user", "password")}
    if not _same_server(match, old) or any(said[name] not in ("", old.part(name)) for name in said):
        return match[0]
    path = _path(match["path"] or "", match["scheme"], old, new)
    if path is None:
        return match[0]
    user = quote(new.user, safe="") if match["user"] or not old.user else ""
    secret = f":{quote(new.password, safe='')}" if match["password"] else match["colon"] or ""
    who = f"{user}{secret}@" if match["user"] is not None else ""
    port = f":{new.port}" if new.port is not None and (match["port"] or new.port != old.port) else ""
    return f"{match['scheme']}://{who}{new.host}{port}{path}"


def _path(path: str, scheme: str, old: ServiceAddress, new: ServiceAddress) -> str | None:
    """A queue's path is a number of its own; a database's is its name, and None when it is another one's."""
    if path in ("", "/") or (_kind(scheme) == "redis" and path[1:].isdecimal()):
        return path
    name, slash, rest = path[1:].partition("/")
    return f"/{quote(new.database, safe='')}{slash}{rest}" if unquote(name) == old.database else None


def _keyed(match: re.Match[str], old: ServiceAddress, new: ServiceAddress) -> str:
    part, value = _PART_OF[match["key"].lower()], match["value"]
    spell: Callable[[str], str] = str
    if unquote(value) != value:
        value, spell = unquote(value), quote
    there = old.part(part)
    return f"{match['key']}{match['sep']}{spell(new.part(part))}" if there and value == there else match[0]


_PART = re.compile(
    r"(?P<stem>\w+?)_?(HOST(NAME)?|SERVER|PORT|USER(NAME)?|(DB)?NAME|DATABASE|DB|PASS(WORD)?|PWD)",
    re.IGNORECASE,
)
NOT_EXACT = "an address of {} that cannot be rewritten exactly"
NOT_MADE = "of {}, which is not ordered again"
ELSEWHERE = "copied unchanged; it names a database or queue that is not an add-on of the application"
ATTACH = "of {} of another application, {}: attach it by hand"
STAYS = "copied unchanged; it names {}, which stays as it is"
NOT_OURS = "copied unchanged; it names neither the old application nor one of its hostnames"


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
    old: ServiceAddress = field(repr=False)
    new: ServiceAddress | None = field(repr=False)
    """None when the new add-on does not tell one."""


@dataclass(frozen=True)
class ConfigInputs:
    """What is known of both places. `hosts` are the names of the old application at the platform."""

    known: Sequence[Known] = ()
    living: Sequence[ServiceAddress] = ()
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

    @classmethod
    def of(cls, old: Mapping[str, SecretStr], recovery: Recovery, around: ConfigInputs) -> NewConfig:
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
            if name in recovery.address_variables and text and fresh == text and not _names_us(text, around):
                why = NOT_OURS
            if why:
                doubtful[name] = why
            if fresh != text:
                changed.append(name)
            (withheld if name in recovery.mail_variables else values)[name] = SecretStr(fresh)
        return cls(values, withheld, tuple(changed), tuple(sorted(around.made & old.keys())), left, doubtful)


def _with_services(name: str, texts: Mapping[str, str], around: ConfigInputs) -> tuple[str | None, str]:
    """The text with the addresses of the new add-ons, and what a person should know; None when it may not be set."""
    text, doubt = texts[name], ""
    meant = _meant(name, texts, around.known)
    for one in meant:
        if one.fate is Fate.GONE:
            return None, NOT_MADE.format(one.addon)
        if one.fate is Fate.STAYS:
            doubt = STAYS.format(one.addon)
            continue
        fresh = one.old.moved(text, one.new) if one.new is not None else None
        if fresh is None:
            return None, NOT_EXACT.format(one.addon)
        text = fresh
    elsewhere = not meant and _names_data(text) and not any(_holds(text, one) for one in around.living)
    return text, doubt or (ELSEWHERE if elsewhere else "")


def _meant(name: str, texts: Mapping[str, str], known: Sequence[Known]) -> list[Known]:
    """The addresses that the text holds: by what only they have, else by the server, which several may share.

    Of an add-on's several addresses those are meant that the text has most of.
    """
    text = texts[name]
    found = [(_secrets_in(text, one.old) or _goes_with(name, texts, one.old), one) for one in known]
    most = {addon: max(n for n, one in found if one.addon == addon) for addon in {one.addon for one in known}}
    sure = [one for number, one in found if number and number == most[one.addon]]
    return sure or [one for one in known if _holds(text, one.old)]


def _goes_with(name: str, texts: Mapping[str, str], address: ServiceAddress) -> bool:
    """Whether it is a port, name or host alone whose meaning only the variables beside it tell: `PGPORT`."""
    mine = _PART.fullmatch(name)
    if mine is None or texts[name].strip() not in _parts(address):
        return False
    beside = (_PART.fullmatch(other) for other in texts if other != name)
    stem = mine["stem"].lower()
    return any(other and other["stem"].lower() == stem and _is_part(texts[other[0]], address) for other in beside)


def _parts(address: ServiceAddress) -> Iterator[str]:
    return (found for name in ("host", "port", "user", "password", "database") if (found := address.part(name)))


def _with_hosts(name: str, text: str, recovery: Recovery, around: ConfigInputs) -> str:
    """The text with the new application's name in place of the old one's; the list of names gets it beside that."""
    new = NEW.host if around.new_url is None else urlsplit(around.new_url).netloc.lower()
    if not new:
        return text
    if name == recovery.allowed_hosts_variable:
        bare = new.partition(":")[0]  # a list of allowed hosts knows no ports
        return text if not around.new_url or _lists(text, bare) else f"{text},{bare}" if text else bare
    for host in around.hosts:
        if _host_in(text, host):
            text = _host_moved(text, host, new)
    return text


def _names_us(text: str, around: ConfigInputs) -> bool:
    return not around.hosts or any(_host_in(text, host) for host in (*around.hosts, *around.names))


def _lists(hosts: str, bare: str) -> bool:
    """Whether a list of allowed hosts has this one, by name or by a leading dot."""
    listed = [entry.strip().lower() for entry in hosts.split(",")]
    return any(entry in ("*", bare) or (entry.startswith(".") and bare.endswith(entry)) for entry in listed)
