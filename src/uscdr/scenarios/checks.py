"""The application's checks of scenarios.yaml, put to it one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import SecretStr

from uscdr.engine.step import Tell
from uscdr.errors import ProviderError, WriteRefused
from uscdr.providers.ports.web import Website
from uscdr.scenarios.deps import Deps
from uscdr.verify.kinds.http import HttpCheck, ask
from uscdr.verify.verdict import Finding

NamedChecks = Sequence[tuple[str, HttpCheck]]

GATEWAY_ERRORS = ("status 502", "status 503", "status 504")


def website(deps: Deps) -> Website:
    """The application that is worked on, where its users reach it."""
    if deps.request.app is not None:
        return deps.open_website(deps.describe_app().web_url or "")
    return deps.open_website(deps.target.web or deps.describe_app().web_url or "")


def ask_all(deps: Deps, checks: NamedChecks, tell: Tell) -> Iterator[tuple[str, Finding]]:
    """Every check with its finding, whatever the others gave."""
    site = website(deps)
    token = sign_in(deps, site, tell)
    for name, check in checks:
        tell.progress(f"checking {name}")
        yield name, _one(site, check, token)


def ask_until_dead(deps: Deps, checks: NamedChecks, tell: Tell) -> Iterator[tuple[str, Finding]]:
    """The same, but one answer of the router that nobody is behind it speaks for all that follow."""
    dead = ""
    site = website(deps)
    token: SecretStr | None = None
    for number, (name, check) in enumerate(checks):
        if dead:
            yield name, Finding("not checked", dead)
            continue
        if number and token is None:
            token = sign_in(deps, site, tell)
        finding = _one(site, check, token)
        if finding.verdict == "inconclusive" or any(words in finding.evidence for words in GATEWAY_ERRORS):
            dead = f"the application does not answer ({finding.evidence})"
        yield name, finding


def sign_in(deps: Deps, site: Website, tell: Tell) -> SecretStr | None:
    """The check account's token; signing in for one is noted by the application as a login."""
    account = deps.account
    if account is None or account.token is not None:
        return account.token if account else None
    try:
        return site.sign_in(account.email, account.password)
    except ProviderError as error:
        tell.warn(error.message)
        return None


def _one(site: Website, check: HttpCheck, token: SecretStr | None) -> Finding:
    if check.auth and token is None:
        return Finding("not checked", "no token of a check account: set USCDR_CHECK_TOKEN")
    try:
        return ask(site, check, token if check.auth else None)
    except WriteRefused:
        return Finding("not checked", "a dry run sends no POST")
    except ProviderError as error:
        return Finding("inconclusive", error.message)
