"""Whether the provider still accepts the account that the application sends its mail with. Nothing is sent."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import SecretStr

from uscdr.models.destination import Destination
from uscdr.verify.check import CheckSpec, Provider
from uscdr.verify.kinds.config import value_of
from uscdr.verify.verdict import Finding
from uscdr.verify.world import World

REASONS = {
    "invalid_grant": "the refresh token was revoked, or has expired",
    "invalid_client": "the client id or its secret is wrong",
    "deleted_client": "the client was deleted",
    "disabled_client": "the client was disabled",
    "unauthorized_client": "the client may not use the token",
    "admin_policy_enforced": "the organisation's administrator forbids it",
    "org_internal": "the client serves another organisation only",
    "invalid_scope": "the scope is not granted any more",
    "access_denied": "access was denied",
    "invalid_request": "the request lacks something",
}
"""RFC 6749 section 5.2, and Google's own."""


Sent = Annotated[str, Destination()]
"""The name of a variable whose value the mail account's provider is given."""


class MailCheck(CheckSpec):
    """Names of the config variables with the account's credentials."""

    kind: Literal["mail"]
    client_id: Sent = "GMAIL_CLIENT_ID"
    client_secret: Sent = "GMAIL_CLIENT_SECRET"  # noqa: S105 - a name
    refresh_token: Sent = "GMAIL_REFRESH_TOKEN"  # noqa: S105 - a name

    provider: ClassVar[Provider] = "mail"


def run(name: str, spec: MailCheck, world: World) -> Finding:  # noqa: ARG001 - the form of every kind
    """Ask for an access token with them."""
    values = world.facts.config()
    names = {"client_id": spec.client_id, "client_secret": spec.client_secret, "refresh_token": spec.refresh_token}
    missing = [variable for variable in names.values() if not value_of(values, variable)]
    if missing:
        return Finding("fail", f"not set: {', '.join(missing)}; no mail can be sent")
    reason = world.mail.accepts({field: SecretStr(value_of(values, one)) for field, one in names.items()})
    if not reason:
        return Finding("pass", "the mail account is accepted")
    # A word that is not known may be anything that was sent.
    words = f"{reason}: {REASONS[reason]}" if reason in REASONS else "refused"
    return Finding("fail", f"the mail account is not accepted ({words})")
