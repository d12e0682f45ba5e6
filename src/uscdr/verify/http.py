"""Checks over HTTP: a status alone proves nothing, so bodies are looked into, and never quoted."""

from __future__ import annotations

import json
from typing import Protocol

from pydantic import SecretStr

from uscdr.models.web import WebAnswer
from uscdr.providers.ports.web import Website
from uscdr.verify.verdict import Finding

OK = 200
LIMITED = 429
"""After a few wrong logins the application refuses more for a while, from an address or for an account."""


class HttpDemand(Protocol):
    """What a check asks for; `scenarios.model.HttpCheck` is one."""

    @property
    def method(self) -> str:
        """GET, or a POST that must be refused."""
        ...

    @property
    def path(self) -> str:
        """Path and query."""
        ...

    @property
    def json_body(self) -> dict[str, object] | None:
        """What is posted."""
        ...

    @property
    def status(self) -> int:
        """The status that must come."""
        ...

    @property
    def below(self) -> int | None:
        """Any status below this will do."""
        ...

    @property
    def contains(self) -> str | None:
        """A text that must be in the body."""
        ...

    @property
    def starts_with(self) -> str | None:
        """How the body must begin, e.g. `%PDF-`."""
        ...

    @property
    def json_field(self) -> str | None:
        """A field that the JSON answer must have."""
        ...

    @property
    def follow(self) -> str | None:
        """A path with `{id}`, asked for the first item of the list; `starts_with` then applies to it."""
        ...


def ask(website: Website, demand: HttpDemand, token: SecretStr | None) -> Finding:
    """Put one check to the application. A dead application raises ProviderError."""
    answer = website.ask(demand.method, demand.path, token=token, json_body=demand.json_body)
    if answer.status == LIMITED and demand.below is None:
        return _limited(demand)
    wrong = _wrong(answer, demand)
    if wrong:
        return Finding("fail", f"{demand.path}: {wrong}")
    if demand.follow is None:
        return Finding("pass", f"{demand.path}: {answer.status}, {len(answer.body)} bytes in {answer.seconds:.2f} s")
    return _follow(website, demand, answer, token)


def _limited(demand: HttpDemand) -> Finding:
    """A check that wants to be refused was; of a page too many requests say nothing."""
    if demand.method == "POST":
        return Finding("pass", f"{demand.path}: {LIMITED}, refused: asked too often for now")
    return Finding("inconclusive", f"{demand.path}: {LIMITED}, the application was asked too often for now")


def _wrong(answer: WebAnswer, demand: HttpDemand) -> str:
    if demand.below is not None and answer.status >= demand.below:
        return f"status {answer.status}, expected less than {demand.below}"
    if demand.below is None and answer.status != demand.status:
        return f"status {answer.status}, expected {demand.status}"
    if demand.contains is not None and demand.contains.encode() not in answer.body:
        return f"the page lacks “{demand.contains}”"
    if demand.starts_with is not None and demand.follow is None and not _begins(answer, demand.starts_with):
        return f"does not begin with “{demand.starts_with}”"
    if demand.json_field is not None and not _has_field(answer, demand.json_field):
        return f"no JSON field “{demand.json_field}”"
    return ""


def _begins(answer: WebAnswer, start: str) -> bool:
    return answer.body.startswith(start.encode())


def _parsed(answer: WebAnswer) -> object:
    try:
        return json.loads(answer.body)
    except ValueError:
        return None


def _has_field(answer: WebAnswer, field: str) -> bool:
    data = _parsed(answer)
    return isinstance(data, dict) and field in data


def _first_id(answer: WebAnswer) -> int | str | None:
    data = _parsed(answer)
    items = data.get("results") if isinstance(data, dict) else data
    first = items[0] if isinstance(items, list) and items else None
    found = first.get("id") if isinstance(first, dict) else None
    return found if isinstance(found, int | str) else None


def _follow(website: Website, demand: HttpDemand, answer: WebAnswer, token: SecretStr | None) -> Finding:
    item = _first_id(answer)
    if item is None or demand.follow is None:
        return Finding("inconclusive", f"{demand.path}: the list is empty, so nothing could be followed")
    path = demand.follow.replace("{id}", str(item))
    second = website.ask("GET", path, token=token)
    if second.status != OK:
        return Finding("fail", f"{demand.follow}: status {second.status}")
    if demand.starts_with is not None and not _begins(second, demand.starts_with):
        return Finding("fail", f"{demand.follow}: does not begin with “{demand.starts_with}”")
    return Finding("pass", f"{demand.follow}: {second.status}, {len(second.body)} bytes in {second.seconds:.2f} s")
