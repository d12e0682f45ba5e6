"""Addresses of services, found in any text by value and never by a variable's name. Pure; nothing of them is shown.

A text holds an address when it has one of its parts that no other address can have: password, user, database, host
(or host and port), as a URL, a DSN, JSON or alone, percent-encoded or not.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

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
class Address:
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


NEW = Address("", "new.invalid", 1, "new-user", "new-password", "new-database")
"""Stands for an address that is not made yet."""


def address_of(value: str) -> Address:
    """Of an add-on's variable; one that is no address is a password as a whole, when it looks like one."""
    try:
        split = urlsplit(value.strip())
        host, port = split.hostname or "", split.port
    except ValueError:
        host, port = "", None
    if not host:
        return Address(password=value.strip()) if len(value) > LONG and _is_random(value) else Address()
    return Address(
        split.scheme, host, port or PORTS.get(_kind(split.scheme)), unquote(split.username or ""),
        unquote(split.password or ""), unquote(split.path.strip("/")),
    )  # fmt: skip


def names_data(text: str) -> bool:
    """Whether a text is, or holds, the address of a database or a queue elsewhere than in the dyno itself."""
    found = _URL.finditer(text)
    return any(
        _kind(one["scheme"]) and not _LOOPBACK.fullmatch(one["host"]) for one in found
    )  # fmt: skip


def secrets_in(text: str, address: Address) -> int:
    """How many of the address's password, user and database a text has, as far as they tell it from others."""
    return max(_secrets(reading, address) for reading in _readings(text))


def holds(text: str, address: Address) -> bool:
    """Whether a text has a part by which the address can be known, its server too, which others may share."""
    return any(_secrets(reading, address) or _server(reading, address) for reading in _readings(text))


def is_part(text: str, address: Address) -> bool:
    """Whether a text is a part of the address by which it can be known, and nothing else."""
    value = text.strip()
    return value in (address.user, address.password, address.database, address.host) and holds(value, address)


def moved(text: str, old: Address, new: Address) -> str | None:
    """The text with the new address; None where something of the old one could be left in it."""
    return None if holds(_moved(text, old, NEW), old) else _moved(text, old, new)


def _moved(text: str, old: Address, new: Address) -> str:
    for name in ("password", "user", "database", "host", "port"):
        if text.strip() and text.strip() == old.part(name):
            return new.part(name)
    text = _URL.sub(lambda match: _url(match, old, new), text)
    text = _KEYED.sub(lambda match: _keyed(match, old, new), text)
    if old.host and old.port is not None and new.port is not None:
        text = _pair(old).sub(lambda _: f"{new.host}:{new.port}", text)
    return text


def host_in(text: str, host: str) -> bool:
    """Whether a text names this host, `name` or `name:port`, and not one that it is a part of."""
    return bool(host) and _host(host).search(text) is not None


def host_moved(text: str, old: str, new: str) -> str:
    """The text with another host."""
    return _host(old).sub(lambda _: new, text)


def _host(host: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.-]){re.escape(host)}(?![\w-])(?!\.\w)(?!:\d)", re.IGNORECASE)


def _pair(address: Address) -> re.Pattern[str]:
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


def _secrets(text: str, address: Address) -> int:
    marks = [one for one in (address.user, address.password, address.database) if _is_random(one)]
    found = {one for one in marks if re.search(rf"(?<![\w-]){re.escape(one)}(?![\w-])", text)}
    if len(address.password) >= LONG and address.password in text:
        found.add(address.password)
    return len(found)


def _server(text: str, address: Address) -> bool:
    if not address.host:
        return False
    text = _URL.sub(lambda match: "" if _strange(match, address) else match[0], text)
    host = rf"(?<![\w.-]){re.escape(address.host)}(?![\w-])(?!\.\w)"
    if _tells(address.host) and re.search(host, text, re.IGNORECASE):
        return True
    if address.port is not None and _pair(address).search(text):
        return True
    return any(_same_server(one, address) for one in _URL.finditer(text)) or _keyed_server(text, address)


def _strange(match: re.Match[str], address: Address) -> bool:
    """Whether this is another database on a server that several share: nothing but the server is the same."""
    said = (match["user"], match["password"], (match["path"] or "").strip("/"))
    own = (address.user, address.password, address.database)
    return all(said) and all(unquote(one or "") != mine for one, mine in zip(said, own, strict=True))


def _is_random(word: str) -> bool:
    """Whether a name or password looks made by a machine, so that finding it is no chance."""
    return len(word) >= SOME and any(map(str.isdigit, word)) and any(map(str.isalpha, word))


def _tells(host: str) -> bool:
    return "." in host and not _LOOPBACK.fullmatch(host)


def _same_server(match: re.Match[str], address: Address) -> bool:
    """Another kind of service on the same host is none of this address."""
    kind, own = _kind(match["scheme"]), _kind(address.scheme)
    port = int(match["port"]) if match["port"] else PORTS.get(kind)
    return match["host"].lower() == address.host and port == address.port and kind in ("", own)


def _kind(scheme: str) -> str:
    return next((KINDS[one] for one in scheme.lower().split("+") if one in KINDS), "")


def _keyed_server(text: str, address: Address) -> bool:
    found = {_PART_OF[one["key"].lower()]: unquote(one["value"]) for one in _KEYED.finditer(text)}
    if found.get("host", "").lower() != address.host:
        return False
    return any(found.get(name) == address.part(name) != "" for name in ("user", "password", "database"))


def _url(match: re.Match[str], old: Address, new: Address) -> str:
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


def _path(path: str, scheme: str, old: Address, new: Address) -> str | None:
    """A queue's path is a number of its own; a database's is its name, and None when it is another one's."""
    if path in ("", "/") or (_kind(scheme) == "redis" and path[1:].isdecimal()):
        return path
    name, slash, rest = path[1:].partition("/")
    return f"/{quote(new.database, safe='')}{slash}{rest}" if unquote(name) == old.database else None


def _keyed(match: re.Match[str], old: Address, new: Address) -> str:
    part, value = _PART_OF[match["key"].lower()], match["value"]
    spell: Callable[[str], str] = str
    if unquote(value) != value:
        value, spell = unquote(value), quote
    there = old.part(part)
    return f"{match['key']}{match['sep']}{spell(new.part(part))}" if there and value == there else match[0]
