"""Where the parts of one installation are. Base URLs of other hosts are for tests and sandboxes."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from uscdr.checks.uptime import WINDOW
from uscdr.models.base import Destination, Duration, Fact

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_LONGEST_HOST = 253
APP = re.compile(r"[a-z0-9][a-z0-9-]{1,35}")
"""A name, or the id that stands for it."""


def _app(text: str) -> str:
    """The name of an application at the platform. Raises ValueError."""
    if not APP.fullmatch(text):
        raise ValueError(f"{text!r} is not an application name; use a-z, digits and hyphens")
    return text


def _is_host(host: str, *, bracketed: bool) -> bool:
    """Whether it is an IP address, or a name that can be looked up."""
    if bracketed:
        return ipaddress.IPv6Address(host) is not None
    labels = host.removesuffix(".").split(".")
    for label in labels:
        if label.startswith("xn--"):
            import idna  # its tables are large, and few hosts need them

            idna.ulabel(label)
    return len(host) <= _LONGEST_HOST and all(map(_LABEL.fullmatch, labels))


def _address(text: str) -> str:
    """An http or https address with a host. Raises ValueError."""
    split = urlsplit(text)
    if split.scheme not in ("http", "https") or not split.hostname or not text.isprintable() or " " in text:
        raise ValueError(f"{text!r} is not a web address; write https://…")
    _ = split.port  # raises ValueError for what is none
    if "@" in split.netloc:
        raise ValueError("a web address must not contain a user name or a password")
    if not split.netloc.isascii():
        raise ValueError(f"{text!r} has letters other than a-z in its host; write them as xn--…")
    if not _is_host(split.hostname, bracketed="[" in split.netloc):
        raise ValueError(f"{text!r} has a host that is not a valid name")
    return text


AppName = Annotated[str, AfterValidator(_app)]
Address = Annotated[str, AfterValidator(_address)]
GoesTo = Annotated[Address, Destination()]
"""A provider's address; the default is its own."""


class HerokuTarget(Fact):
    """Where the platform is."""

    app: AppName
    api_url: GoesTo = "https://api.heroku.com"
    data_url: GoesTo = "https://api.data.heroku.com"
    status_url: GoesTo = "https://status.heroku.com"
    database: str = "DATABASE_URL"
    steady: Duration = WINDOW
    """How long a dyno must have been up at the end of a recovery to count as steady."""


class CloudinaryTarget(Fact):
    """Where the media are. The key and its secret come from the environment, the app's config or the kit."""

    cloud: str
    api_url: GoesTo = "https://api.cloudinary.com"
    delivery_url: GoesTo = "https://res.cloudinary.com"
    status_url: GoesTo = "https://status.cloudinary.com"


LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
"""RFC 1035, with the underscore that service names use. Other letters are written as `xn--…`."""
LONGEST_NAME = 253


def _host(text: str) -> str:
    """A host name in lower case without its final dot; its first label may be `*`. Raises ValueError."""
    name = text.lower().rstrip(".")
    first, *others = name.split(".")
    if name.rpartition(".")[2].isdigit():
        raise ValueError(f"{text!r} is an IP address, not a host name")
    if len(name) > LONGEST_NAME or not all(LABEL.fullmatch(part) for part in (*others, "x" if first == "*" else first)):
        raise ValueError(f"{text!r} is not a host name (write letters other than a-z as xn--…)")
    return name


HostName = Annotated[str, AfterValidator(_host)]


class DnsTarget(Fact):
    """Where the domain is edited, and which hostnames lead users to the application.

    The key comes from the environment: `USCDR_DNS_KEY` (rfc2136, base64) or `USCDR_CLOUDFLARE_TOKEN`.
    """

    adapter: Literal["manual", "rfc2136", "cloudflare"]
    zone: HostName
    hostnames: tuple[HostName, ...] = ()
    server: Annotated[str | None, Destination()] = None
    """rfc2136: the primary's name or address."""
    port: Annotated[int, Field(ge=1, le=65535), Destination()] = 53
    key_name: str | None = None
    algorithm: str = "hmac-sha256"
    api_url: GoesTo = "https://api.cloudflare.com"
    name_servers: Annotated[tuple[str, ...], Destination()] = ()
    """`address:port` of every authoritative server, where they cannot be found by asking: tests and sandboxes."""

    @model_validator(mode="after")
    def _complete(self) -> DnsTarget:
        if self.adapter == "rfc2136" and not (self.server and self.key_name):
            raise ValueError("rfc2136 needs server and key_name")
        if len(set(self.hostnames)) < len(self.hostnames):
            raise ValueError("a hostname is listed twice")
        outside = [name for name in self.hostnames if name != self.zone and not name.endswith("." + self.zone)]
        if outside:
            raise ValueError(f"not in the zone {self.zone}: {', '.join(outside)}")
        return self


class MailTarget(Fact):
    """Where the application's mail account is checked."""

    token_url: GoesTo = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address


SERVER = re.compile(r"(?P<host>[^\s:]+):(?P<port>\d{1,5})")
HIGHEST_PORT = 65535


def _server(value: object) -> tuple[str, int]:
    """`host:port`. Raises ValueError."""
    match = SERVER.fullmatch(value) if isinstance(value, str) else None
    if match is None or not 0 < int(match["port"]) <= HIGHEST_PORT:
        raise ValueError("write host:port")
    return match["host"], int(match["port"])


HostPort = Annotated[tuple[str, int], BeforeValidator(_server, str)]
"""Written as `host:port`."""


class TargetConfig(Fact):
    """One installation that can be recovered."""

    heroku: HerokuTarget
    cloudinary: CloudinaryTarget | None = None
    dns: DnsTarget | None = None
    web: Annotated[Address | None, Destination()] = None
    """The address to check the application at; default: what the platform says."""
    mail: MailTarget = Field(default_factory=MailTarget)
    tls_server: Annotated[HostPort | None, Destination()] = None
    """`host:port` that serves the hostnames' certificates, where they do not resolve: tests and sandboxes."""
    ca_file: Annotated[str | None, Destination()] = None
