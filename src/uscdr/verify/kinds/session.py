"""A whole login: in, known, out. It writes (last login, token), so it runs only when the operator allows writes."""

from __future__ import annotations

from typing import ClassVar, Literal

from uscdr.models.web import Sending
from uscdr.verify.check import CheckSpec
from uscdr.verify.kinds.http import Path
from uscdr.verify.verdict import Finding
from uscdr.verify.world import World

SET_PASSWORD = "set USCDR_CHECK_EMAIL and USCDR_CHECK_PASSWORD"  # noqa: S105 - names of variables
OK = 200
SIGNED_OUT = (401, 403)


class SessionCheck(CheckSpec):
    """Signs the check account in with its password, asks who it is, and signs it out where that harms nobody."""

    kind: Literal["session"]
    profile: Path = "/api/auth/profile/me/"
    logout: Path = "/api/auth/logout/"

    writes: ClassVar[bool] = True


def run(name: str, spec: SessionCheck, world: World) -> Finding:
    """Logging out deletes the account's only token: not done to one that was given and is used elsewhere."""
    del name
    given = world.token()
    token = world.sign_in() if world.writable is not None else None
    if world.writable is None or token is None:
        return Finding("not checked", f"needs --allow-writes and the check account: {SET_PASSWORD}")
    site = world.writable()
    if site.ask("GET", spec.profile, token=token).status != OK:
        return Finding("fail", f"{spec.profile}: a fresh login is not known")
    if given is not None and given.get_secret_value() == token.get_secret_value():
        return Finding("pass", "login works; logout was not tried, it would end the token that is in use")
    status = site.send(Sending(method="POST", path=spec.logout, json_body={}), token).status
    if status != OK:
        return Finding("fail", f"{spec.logout}: status {status}")
    if site.ask("GET", spec.profile, token=token).status not in SIGNED_OUT:
        return Finding("fail", f"{spec.logout}: the token still works after it")
    return Finding("pass", "login and logout work")
