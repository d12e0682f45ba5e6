"""What `uscdr sandbox up` is asked for."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from typing import Any

from uscdr.errors import BadInput

APP = "usc-pis"
MOST_ASSETS = 20_000


def seconds(text: str) -> float:
    """`90s`, `30m`, `3h` or `2d` in seconds. Raises BadInput."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    if not found:
        raise BadInput(f"{text} is no length of time.", next_action="Write it as 90s, 30m, 3h or 2d.")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]


@dataclass(frozen=True)
class UpRequest:
    """Without `app_source` the packaged clinic is deployed. Ages and lifetimes are in seconds.

    `dns_ttl` is that of the hostname's alias, `dns_lag` the delay of the second name server, both in seconds.
    `assets` is the number of uploads in the media service beyond those of the clinic's own data.
    `plain` leaves out what `boot/furnishing.py` lists.
    `keep` is the number of manual backups that are kept, `url_lifetime` that of public backup links.
    `dump` is loaded into the database of `app_source` before its code is released; its processes then reach nothing
    outside (see `dynos/withholding.py`). `broker`: it gets a broker, too.
    """

    patients: int = 200
    seed: int = 1
    app_source: str = ""
    python: str = ""
    env_file: str = ""
    procfile: str = ""
    backup_age: float = 0.0
    keep: int = 5
    url_lifetime: float = 3600.0
    assets: int = 0
    dns_ttl: int = 5
    dns_lag: float = 0.3
    plain: bool = False
    dump: str = ""
    broker: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def parse(cls, document: dict[str, Any]) -> UpRequest:
        """From JSON written by `document`."""
        return cls(**{one.name: document[one.name] for one in fields(cls)})
