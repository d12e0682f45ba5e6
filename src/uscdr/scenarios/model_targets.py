"""Where the parts of one installation are. Base URLs other than the providers' own are for tests and sandboxes."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from uscdr.models.base import Fact


class HerokuTarget(Fact):
    """Where the platform is."""

    app: str
    api_url: str = "https://api.heroku.com"
    data_url: str = "https://api.data.heroku.com"
    status_url: str = "https://status.heroku.com"
    database: str = "DATABASE_URL"


class CloudinaryTarget(Fact):
    """Where the media are. The key and its secret come from the environment, the app's config or the kit."""

    cloud: str
    api_url: str = "https://api.cloudinary.com"
    delivery_url: str = "https://res.cloudinary.com"
    status_url: str = "https://status.cloudinary.com"


LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
"""RFC 1035, with the underscore that service names use. Other letters are written as `xn--…`."""
LONGEST_NAME = 253


def _host(text: str) -> str:
    """A host name in lower case without its final dot; its first label may be `*`. Raises ValueError."""
    name = text.lower().rstrip(".")
    first, *others = name.split(".")
    if len(name) > LONGEST_NAME or not all(LABEL.fullmatch(part) for part in (*others, "x" if first == "*" else first)):
        raise ValueError(f"{text!r} is no host name (letters beyond a-z are written as xn--…)")
    return name


HostName = Annotated[str, AfterValidator(_host)]


class DnsTarget(Fact):
    """Where the domain is edited, and which names lead users to the application.

    The key comes from the environment: `USCDR_DNS_KEY` (rfc2136, base64) or `USCDR_CLOUDFLARE_TOKEN`.
    """

    adapter: Literal["manual", "rfc2136", "cloudflare"]
    zone: HostName
    hostnames: tuple[HostName, ...] = ()
    server: str | None = None
    """rfc2136: the primary's name or address."""
    port: Annotated[int, Field(ge=1, le=65535)] = 53
    key_name: str | None = None
    algorithm: str = "hmac-sha256"
    api_url: str = "https://api.cloudflare.com"
    name_servers: tuple[str, ...] = ()
    """`address:port` of every authoritative server, where they cannot be found by asking: tests and sandboxes."""

    @model_validator(mode="after")
    def _complete(self) -> DnsTarget:
        if self.adapter == "rfc2136" and not (self.server and self.key_name):
            raise ValueError("rfc2136 needs server and key_name")
        if len(set(self.hostnames)) < len(self.hostnames):
            raise ValueError("a hostname stands twice")
        outside = [name for name in self.hostnames if name != self.zone and not name.endswith("." + self.zone)]
        if outside:
            raise ValueError(f"not in the zone {self.zone}: {', '.join(outside)}")
        return self


class Target(Fact):
    """One place that can be recovered."""

    heroku: HerokuTarget
    cloudinary: CloudinaryTarget | None = None
    dns: DnsTarget | None = None
    web: str | None = None
    """The address to check the application at; default: what the platform says."""
    ca_file: str | None = None
