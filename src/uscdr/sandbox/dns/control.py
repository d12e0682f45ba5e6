"""The sandbox's own endpoint for DNS and certificates: what each server holds, and what is wrong with them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

import dns.name
import dns.rdatatype
from starlette.requests import Request
from starlette.responses import Response

from uscdr.sandbox.control_paths import PREFIX
from uscdr.sandbox.core import core_of
from uscdr.sandbox.dns.records import Snapshot, rdata
from uscdr.sandbox.dns.zone import Mode
from uscdr.sandbox.web.errors import invalid
from uscdr.sandbox.web.requests import answer, body_of, route

if TYPE_CHECKING:
    from uscdr.sandbox.dns.server import Hosting

_CAA_TTL = 3600


def _records(snapshot: Snapshot | None) -> list[str]:
    if snapshot is None:
        return []
    return sorted(
        f"{name.to_text(omit_final_dot=True)} {one.ttl} {dns.rdatatype.to_text(kind)} {data.to_text()}"
        for (name, kind), one in snapshot.sets.items()
        for data in one
    )


def _document(hosting: Hosting) -> dict[str, Any]:
    copy = hosting.copies[0]
    return {
        "primary": _records(hosting.zone.current),
        "secondary": _records(copy.current),
        "secondary_mode": copy.mode,
        "lag": copy.lag,
    }


async def show(request: Request) -> Response:
    """GET dns: the records of the application's zone at each server."""
    return answer(_document(core_of(request).hosting))


async def change(request: Request) -> Response:
    """POST dns: `lag` in seconds, `secondary` (follow, stuck, lame), `caa` (issuers of the apex, or none)."""
    hosting, body = core_of(request).hosting, await body_of(request)
    lag, mode, issuers = body.get("lag"), body.get("secondary"), body.get("caa")
    if mode is not None and mode not in get_args(Mode):
        raise invalid(f"secondary must be one of {', '.join(get_args(Mode))}.")
    for copy in hosting.copies:
        copy.lag = float(lag) if lag is not None else copy.lag
        if mode is not None:
            copy.switch(mode)
    if issuers is not None:
        _allow(hosting, [str(one) for one in issuers])
    return answer(_document(hosting))


def _allow(hosting: Hosting, issuers: list[str]) -> None:
    draft, apex = hosting.zone.edit(), hosting.zone.current.origin
    draft.delete_set(apex, dns.rdatatype.CAA)
    for one in issuers:
        draft.add(apex, _CAA_TTL, rdata("CAA", f'0 issue "{one}"'))
    hosting.zone.commit(draft.finish())


async def pace(request: Request) -> Response:
    """POST acm: `refuse` (true or false) and the seconds `issue`, `failing` and `failed`."""
    issuer, body = core_of(request).certificates, await body_of(request)
    seconds = {key: float(body[key]) for key in ("issue", "failing", "failed") if key in body}
    issuer.pace = replace(issuer.pace, **seconds)
    issuer.refusing = bool(body.get("refuse", issuer.refusing))
    return answer({"refuse": issuer.refusing, **vars(issuer.pace)})


ROUTES = [
    route("GET", PREFIX + "dns", show),
    route("POST", PREFIX + "dns", change),
    route("POST", PREFIX + "acm", pace),
]
