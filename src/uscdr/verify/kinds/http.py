"""Checks over HTTP: a status alone proves nothing, so bodies are looked into, and never quoted."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from typing_extensions import override

from uscdr.models.duration import Duration
from uscdr.models.web import WebAnswer
from uscdr.providers.ports.web import Website
from uscdr.verify.attempts import LOGINS, Limit
from uscdr.verify.kinds.body import BodyCheck, first_id, link_in, values_at, wrong_body
from uscdr.verify.verdict import Finding, Measures
from uscdr.verify.world import World

Status = Annotated[int, Field(ge=100, lt=600)]
Path = Annotated[str, Field(pattern=r"^/[!-~]*$")]
"""Path and query."""
SET_ACCOUNT = "set USCDR_CHECK_TOKEN, or USCDR_CHECK_EMAIL and USCDR_CHECK_PASSWORD"
OK, REFUSED = 200, 400
SLOWER, SLOW = 5.0, 2.0
"""A page is slow when it takes so many times as long as in the baseline, and at least so many seconds."""
IMAGES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"<svg", b"<?xml")
"""How the bytes of an image begin."""


class HttpCheck(BodyCheck):
    """One read-only request and what its answer must be."""

    kind: Literal["http"]
    path: Path
    method: Literal["GET", "POST"] = "GET"
    json_body: dict[str, Any] | None = None
    """Only `{}`: an empty form that must be refused shows the way to the validator, and writes nothing."""
    multipart_body: dict[str, Any] | None = None
    """The same as a multipart form, where the application parses nothing else: only `{}`; instead of `json_body`."""
    limit: Limit | None = None
    """How many refusals the application takes before it locks the address out. A run sends one; what this machine sent
    is counted over all runs, and half is left to people: while there is no room for one more the check is
    `not checked`. A login has one also if none is written down."""
    auth: bool = False
    """Send the check account's token."""
    status: Status = OK
    below: Annotated[int, Field(gt=200, lt=600)] | None = None
    """Any status below this will do, instead of `status`; there is none from 600 on."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Name -> a text that must be in the header; an empty one only asks that it is there."""
    within: Duration | None = None
    """The answer must come in that time."""
    id: Annotated[str, Field(min_length=1)] = "id"
    """How the items of a list that is followed call their id."""
    follow: Path | None = None
    """The id of the first item of a JSON list (or of its `results`) is put into this path, and asked too;
    `starts_with`, `min_bytes` and `contains` then apply to the second answer."""
    follow_link: str | None = None
    """A pattern with one group that finds a path in the page; that must answer 200 with no HTML page."""
    image: str | None = None
    """JSON path such as `results.*.banner_image`: the first address there must answer with an image."""

    may_be_empty: ClassVar[frozenset[str]] = BodyCheck.may_be_empty | {"json_body", "multipart_body"}

    @field_validator("follow_link")
    @classmethod
    def _finds_a_path(cls, pattern: str | None) -> str | None:
        try:
            groups = re.compile(pattern or "()").groups
        except re.error as error:
            raise ValueError(f"this is no pattern: {error}") from None
        if groups != 1:
            raise ValueError('write a pattern with one group, which finds a path: \'src="(/static/[^"]+)"\'')
        return pattern

    @model_validator(mode="after")
    def _post_reads(self) -> HttpCheck:
        filled = self.json_body or self.multipart_body
        if self.method == "POST" and (self.status < REFUSED or filled or self.below is not None):
            raise ValueError(
                "a POST check must send an empty form (json_body: {} or multipart_body: {}) and expect a refusal: "
                "checks read"
            )
        if self.multipart_body is not None and (self.method != "POST" or self.json_body is not None):
            raise ValueError("multipart_body goes with method: POST, and stands instead of json_body")
        if self.limit is not None and self.method != "POST":
            raise ValueError("limit goes with method: POST: it counts refused forms")
        if self.method == "POST" and self.auth and "logout" in self.path:
            raise ValueError("a signed-in logout would end the check account's session everywhere")
        return self

    @property
    @override
    def counted(self) -> Limit | None:
        login = self.method == "POST" and "login" in self.path
        return self.limit or (LOGINS if login else None)


def run(name: str, spec: HttpCheck, world: World) -> Finding:
    """Put the check to the application."""
    token = world.token() if spec.auth else None
    if spec.auth and token is None:
        return Finding("not checked", f"there is no check account: {SET_ACCOUNT}")
    if spec.counted is not None and world.attempts is not None:
        finding = world.attempts.count(urlsplit(spec.path).path, spec.counted, lambda: _looked(world, spec, token))
    else:
        finding = _looked(world, spec, token)
    return _slower(finding, world.before(name))


def _looked(world: World, spec: HttpCheck, token: SecretStr | None) -> Finding:
    site = world.website()
    finding = ask(site, spec, token)
    if finding.verdict == "pass" and spec.image is not None:
        finding = _image(site, spec, token, finding.measures)
    return finding


def ask(website: Website, spec: HttpCheck, token: SecretStr | None) -> Finding:
    """One check, without the baseline. A dead application raises ProviderError."""
    empty_form = spec.multipart_body is not None
    answer = website.ask(
        spec.method, spec.path, token=token, json_body=spec.json_body, empty_form=empty_form,
        once=spec.counted is not None,
    )  # fmt: skip
    wrong = _wrong_head(answer, spec) or (wrong_body(answer, spec) if spec.follow is None else "")
    if wrong:
        return Finding("fail", f"{wrong} ({spec.path})")
    if spec.follow is not None:
        return _follow(website, spec, answer, token)
    if spec.follow_link is not None:
        return _follow_link(website, spec, answer)
    return _good(spec.path, answer)


def _good(path: str, answer: WebAnswer) -> Finding:
    words = f"{answer.status}, {len(answer.body)} bytes in {answer.seconds:.2f} s ({path})"
    return Finding("pass", words, {"seconds": round(answer.seconds, 3)})


def _wrong_head(answer: WebAnswer, spec: HttpCheck) -> str:
    if spec.below is not None and answer.status >= spec.below:
        return f"status {answer.status}, expected less than {spec.below}"
    if spec.below is None and answer.status != spec.status:
        return f"status {answer.status}, expected {spec.status}"
    for name, wanted in spec.headers.items():
        found = answer.headers.get(name.lower())
        if found is None or wanted.lower() not in found.lower():
            return f"header {name} " + ("is missing" if found is None else f"lacks “{wanted}”")
    if spec.within is not None and answer.seconds > spec.within:
        return f"took {answer.seconds:.1f} s, allowed are {spec.within:g} s"
    return ""


def _follow(website: Website, spec: HttpCheck, answer: WebAnswer, token: SecretStr | None) -> Finding:
    item = first_id(answer, spec.id)
    if item is None or spec.follow is None:
        return Finding("inconclusive", f"the list is empty, so nothing could be followed ({spec.path})")
    second = website.ask("GET", spec.follow.replace("{id}", str(item)), token=token)
    if second.status != OK:
        return Finding("fail", f"status {second.status} ({spec.follow})")
    if wrong := wrong_body(second, spec):
        return Finding("fail", f"{wrong} ({spec.follow})")
    return _good(spec.follow, second)


def _follow_link(website: Website, spec: HttpCheck, answer: WebAnswer) -> Finding:
    path = link_in(answer, spec.follow_link or "")
    if path is None:
        return Finding("fail", f"the page names no such link ({spec.path})")
    second = website.ask("GET", path)
    if second.status != OK or not second.body or second.body.lstrip()[:5].lower() in (b"<!doc", b"<html"):
        return Finding("fail", f"{second.status}, {len(second.body)} bytes, not what the page needs ({path})")
    return _good(spec.path, answer)


def _image(site: Website, spec: HttpCheck, token: SecretStr | None, measures: Measures) -> Finding:
    """The first image that the list names. The list is asked again: answers are not kept."""
    found = values_at(site.ask("GET", spec.path, token=token), spec.image or "")
    addresses = [one for one in found if isinstance(one, str) and one]
    if not addresses:
        return Finding("inconclusive", f"no item has an image ({spec.path})")
    answer = site.fetch(addresses[0])
    if answer.status != OK or not answer.body.lstrip().startswith(IMAGES):
        return Finding("fail", f"an image answers {answer.status}, or with no image ({spec.path})")
    words = f"{len(addresses)} images named, one fetched: {len(answer.body)} bytes ({spec.path})"
    return Finding("pass", words, measures)


def _slower(finding: Finding, before: Measures) -> Finding:
    then, now = before.get("seconds"), finding.measures.get("seconds")
    if finding.verdict != "pass" or not isinstance(then, float) or not isinstance(now, float):
        return finding
    if now > SLOW and now > SLOWER * then:
        return Finding("fail", f"{finding.evidence}; the baseline has {then:.2f} s", finding.measures)
    return finding
