"""Config of the new application: everything that the old one had, except the few variables that must change. Pure.

Addresses of old services are found by value: rewritten where that is exact, else left out.
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

    from uscdr.scenarios.config_app import Recovery

# Addresses of services, found in any text by value, never by a variable's name. Pure; they are never shown.


KINDS = {
    **dict.fromkeys(("postgres", "postgresql", "postgis", "pgsql", "psql"), "postgres"),
    **dict.fromkeys(("redis", "rediss"), "redis"),
    **{name: name for name in ("mysql", "mongodb", "amqp", "amqps")},
}
"""Schemes of databases and queues; a program may add its own before or after: `db+postgresql`."""
PORTS = {"postgres": 5432, "redis": 6379}
"""By kind, for addresses without a port."""
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
"""Minimum length of a password that is searched anywhere, and of a name that is searched as a word."""
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")


@dataclass(frozen=True)
class ServiceAddress:
    """The address of a service, decoded; missing parts are empty. `port` defaults to that of the scheme."""

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
        """The address in an add-on's variable; another value counts as a password if it looks like one."""
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
        """The text with the new address; None when a part of the old one could remain in it."""
        return None if _holds(_moved(text, self, NEW), self) else _moved(text, self, new)


NEW = ServiceAddress("", "new.invalid", 1, "new-user", "new-password", "new-database")
"""A placeholder for an address that does not exist yet."""


def _names_data(text: str) -> bool:
    """Whether a text has the address of a database or a queue outside the dyno itself."""
    found = _URL.finditer(text)
    return any(
        _kind(one["scheme"]) and not _LOOPBACK.fullmatch(one["host"]) for one in found
    )  # fmt: skip


def _secrets_in(text: str, address: ServiceAddress) -> int:
    """How many of the address's password, user and database a text has, if they are distinctive."""
    return max(_secrets(reading, address) for reading in _readings(text))


def _holds(text: str, address: ServiceAddress) -> bool:
    """Whether a text has a part that identifies the address, or its server, which others may share."""
    return any(_secrets(reading, address) or _server(reading, address) for reading in _readings(text))


def _is_part(text: str, address: ServiceAddress) -> bool:
    """Whether a text is exactly one part that identifies the address."""
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
    """Whether a text has this host, `name` or `name:port`, and not a longer name that contains it."""
    return bool(host) and _host(host).search(text) is not None


def _host_moved(text: str, old: str, new: str) -> str:
    """The text with the new host for the old one."""
    return _host(old).sub(lambda _: new, text)


def _host(host: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.-]){re.escape(host)}(?![\w-])(?!\.\w)(?!:\d)", re.IGNORECASE)


def _pair(address: ServiceAddress) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.-]){re.escape(address.host)}:{address.port}(?!\d)", re.IGNORECASE)


def _readings(text: str) -> Iterator[str]:
    """The text itself, and the forms that its reader may decode it to."""
    seen = {text}
    yield text
    for decode in (unquote, lambda one: unquote(unquote(one)), lambda one: one.replace("\\/", "/"), _unpacked):
        found = decode(text)
        if found not in seen:
            seen.add(found)
            yield found


def _unpacked(text: str) -> str:
    """The text with its base64 decoded; the text itself when it has none."""

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
    """Whether this is another database on a shared server: only the server is the same."""
    said = (match["user"], match["password"], (match["path"] or "").strip("/"))
    own = (address.user, address.password, address.database)
    return all(said) and all(unquote(one or "") != mine for one, mine in zip(said, own, strict=True))


def _is_random(word: str) -> bool:
    """Whether a name or password looks generated, so that finding it is not a coincidence."""
    return len(word) >= SOME and any(map(str.isdigit, word)) and any(map(str.isalpha, word))


def _tells(host: str) -> bool:
    return "." in host and not _LOOPBACK.fullmatch(host)


def _same_server(match: re.Match[str], address: ServiceAddress) -> bool:
    """A service of another kind on the same host is another server."""
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
    """The new address in place of the old one; an address that differs in any part stays."""
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
    """A queue's path is its number and stays; a database's is its name, and None when it is another database."""
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
    r"(?P<stem>\w+?)_?(HOST(NAME)?|SERVER|PORT|USER(NAME)?|(DB)?NAME|DATABASE|DB|PASS(WORD)?|PWD)", re.IGNORECASE
)
NOT_EXACT = "an address of {} that cannot be rewritten exactly"
NOT_MADE = "of {}, which is not ordered again"
ELSEWHERE = "copied unchanged; it names a database or queue that is not an add-on of the application"
ATTACH = "of {} of another application, {}: attach it by hand"
STAYS = "copied unchanged; it names {}, which stays as it is"
NOT_OURS = "copied unchanged; it names neither the old application nor one of its hostnames"


class AddonFate(Enum):
    """What happens to an add-on of the old application."""

    ANEW = "made anew"
    GONE = "not made anew"
    STAYS = "of another application"


@dataclass(frozen=True)
class KnownAddress:
    """An address of an old add-on, what happens to the add-on, and the address that replaces it."""

    addon: str
    fate: AddonFate
    old: ServiceAddress = field(repr=False)
    new: ServiceAddress | None = field(repr=False)
    """None when the new add-on has no address."""


@dataclass(frozen=True)
class ConfigInputs:
    """What is known of both applications. `hosts` are the old application's names at the platform."""

    known: Sequence[KnownAddress] = ()
    living: Sequence[ServiceAddress] = ()
    """Addresses of add-ons that the application has now and keeps."""
    made: frozenset[str] = frozenset()
    """Variables that the new add-ons set."""
    not_made: Mapping[str, str] = field(default_factory=dict)
    """Variables of add-ons that are not ordered again, and why."""
    hosts: Sequence[str] = ()
    names: Sequence[str] = ()
    """The users' hostnames, which lead to whichever application is live."""
    new_url: str | None = None
    """The new application's address at the platform; None before it exists, empty when the platform gives none."""


@dataclass(frozen=True)
class NewConfig:
    """`values` are set in one call before the first deploy, `withheld` after the switch, `left` (and why) never."""

    values: Mapping[str, SecretStr] = field(repr=False)
    withheld: Mapping[str, SecretStr] = field(repr=False)
    changed: tuple[str, ...]
    from_addons: tuple[str, ...]
    left: Mapping[str, str] = field(default_factory=dict)
    doubtful: Mapping[str, str] = field(default_factory=dict)
    """Copied unchanged, and why a person should check them."""

    @classmethod
    def of(cls, old: Mapping[str, SecretStr], recovery: Recovery, around: ConfigInputs) -> NewConfig:
        """The value of each variable in the new application."""
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
    """The text with the new add-ons' addresses, and what a person should know; None when it must not be set."""
    text, doubt = texts[name], ""
    meant = _meant(name, texts, around.known)
    for one in meant:
        if one.fate is AddonFate.GONE:
            return None, NOT_MADE.format(one.addon)
        if one.fate is AddonFate.STAYS:
            doubt = STAYS.format(one.addon)
            continue
        fresh = one.old.moved(text, one.new) if one.new is not None else None
        if fresh is None:
            return None, NOT_EXACT.format(one.addon)
        text = fresh
    elsewhere = not meant and _names_data(text) and not any(_holds(text, one) for one in around.living)
    return text, doubt or (ELSEWHERE if elsewhere else "")


def _meant(name: str, texts: Mapping[str, str], known: Sequence[KnownAddress]) -> list[KnownAddress]:
    """The addresses in the text: by their distinctive parts, else by the server, which several may share.

    Of an add-on's several addresses, those count that the text has most parts of.
    """
    text = texts[name]
    found = [(_secrets_in(text, one.old) or _goes_with(name, texts, one.old), one) for one in known]
    most = {addon: max(n for n, one in found if one.addon == addon) for addon in {one.addon for one in known}}
    sure = [one for number, one in found if number and number == most[one.addon]]
    return sure or [one for one in known if _holds(text, one.old)]


def _goes_with(name: str, texts: Mapping[str, str], address: ServiceAddress) -> bool:
    """Whether it is a single port, name or host that belongs to variables of the same stem: `PGPORT`."""
    mine = _PART.fullmatch(name)
    if mine is None or texts[name].strip() not in _parts(address):
        return False
    beside = (_PART.fullmatch(other) for other in texts if other != name)
    stem = mine["stem"].lower()
    return any(other and other["stem"].lower() == stem and _is_part(texts[other[0]], address) for other in beside)


def _parts(address: ServiceAddress) -> Iterator[str]:
    return (found for name in ("host", "port", "user", "password", "database") if (found := address.part(name)))


def _with_hosts(name: str, text: str, recovery: Recovery, around: ConfigInputs) -> str:
    """The text with the new application's host for the old one's; the list of allowed hosts gets it in addition."""
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
    """Whether a list of allowed hosts includes this one, by name or by a leading dot."""
    listed = [entry.strip().lower() for entry in hosts.split(",")]
    return any(entry in ("*", bare) or (entry.startswith(".") and bare.endswith(entry)) for entry in listed)
