"""Whether users read the operator's own page while maintenance mode is on, prepared before an incident."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal
from urllib.parse import urlsplit

from typing_extensions import override

from uscdr.checks.check import CheckSpec, Provider
from uscdr.checks.verdict import Finding
from uscdr.errors import ProviderError
from uscdr.settings import is_loopback_host

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from uscdr.checks.context import CheckContext
    from uscdr.models.probes import WebAnswer

VARIABLE = "MAINTENANCE_PAGE_URL"
"""The platform's own config variable: its router shows this page, in a frame, while maintenance mode is on."""
EXAMPLE = "https://BUCKET.example.org/maintenance.html"
_OK = 200


def not_set(app: str, url: str) -> str:
    """The finding that the variable is not set, and the fix; `url` is the configured page, empty without one."""
    return (
        f"{VARIABLE} is not set, so users read only the platform's own page while maintenance mode is on; set it "
        f"before an incident, because it is a release that restarts every dyno: {_command(app, url)}"
    )


def _command(app: str, url: str) -> str:
    return f"heroku config:set {VARIABLE}={url or EXAMPLE} --app {app}"


class MaintenancePageCheck(CheckSpec):
    """`MAINTENANCE_PAGE_URL` of the application, and the page that it names."""

    kind: Literal["maintenance_page"]

    provider: ClassVar[Provider] = "page"

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        configured, value = context.expected.maintenance_page, context.facts.variable(VARIABLE).strip()
        if not value:
            return Finding("fail", not_set(context.app, configured))
        address = _address(value)
        if configured and address != _address(configured):
            return Finding(
                "fail",
                f"{VARIABLE} names another page than `maintenance_page.url`, so users read no notice; before an "
                f"incident: {_command(context.app, configured)}",
            )
        problem = _unusable(address, context)
        if problem:
            return Finding("fail", f"{VARIABLE} {problem}")
        try:
            answer = context.website().fetch(address)
        except ProviderError as error:
            return Finding("inconclusive", f"the maintenance page does not answer: {error.why or error.message}")
        return Finding.weighed(list(_problems(answer)), [], _good(configured))


def _address(value: str) -> str:
    """The address that a browser uses; the platform's manual writes it without a scheme (`//host/page.html`)."""
    return f"https:{value}" if value.startswith("//") else value


def _unusable(address: str, context: CheckContext) -> str:
    """Why no browser could show a page at this address while the application is down; empty if one could."""
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").lower()
    except ValueError:
        host = ""
    if not host or parts.scheme not in ("http", "https"):
        return "is not a web address"
    if parts.scheme == "http" and not is_loopback_host(host):
        return "is an http:// address, which browsers block inside the platform's https page"
    own = urlsplit(context.facts.app().web_url or "").netloc.lower()
    if parts.netloc.lower() == own or host in context.expected.hostnames:
        return "names a page of the application itself, which does not answer in maintenance mode"
    return ""


def _problems(answer: WebAnswer) -> Iterator[str]:
    if answer.status != _OK:
        yield f"the maintenance page answers with status {answer.status}"
        return
    kind = answer.content_type.partition(";")[0].strip().lower()
    if kind != "text/html":
        yield f"the maintenance page is sent as {kind or 'no type'}, not as text/html"
    if _forbids_frames(answer.headers):
        yield "the maintenance page forbids that the platform shows it in a frame (X-Frame-Options, frame-ancestors)"


def _forbids_frames(headers: Mapping[str, str]) -> bool:
    """Whether a header keeps browsers from showing the page inside another site's page."""
    if headers.get("x-frame-options", "").strip():
        return True
    rules = (one.split() for one in headers.get("content-security-policy", "").lower().split(";"))
    return any(rule[:1] == ["frame-ancestors"] and "*" not in rule[1:] for rule in rules)


def _good(configured: str) -> str:
    words = f"{VARIABLE} is set, and the page answers"
    return (
        words if configured else f"{words}; without `maintenance_page` in scenarios.yaml uscdr writes no notice to it"
    )
