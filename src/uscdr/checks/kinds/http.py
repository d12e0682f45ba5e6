"""Checks over HTTP: a status alone is not enough, so checks also inspect bodies, and never quote them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from typing_extensions import override

from uscdr.checks.attempts import LOGINS, AttemptLimit
from uscdr.checks.check import Bound, CheckSpec, Provider
from uscdr.checks.kinds.database import number
from uscdr.checks.verdict import Finding, Measures
from uscdr.models.base import Duration, Fact
from uscdr.models.causes import ANSWERS
from uscdr.models.data_settings import Invariant
from uscdr.models.probes import Sending, WebAnswer
from uscdr.words import plural, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from uscdr.checks.context import CheckContext
    from uscdr.providers.ports.probes import Website

# Requirements for a response body. Bodies contain personal data: only numbers from them are shown.


Scalar = str | int | float | bool
Place = Annotated[str, Field(min_length=1)]
"""Names and numbers between dots, `*` for every item of a list; `$` is the whole document."""


class JsonDemand(Fact):
    """The requirement for one field of a JSON response; a bare value in scenarios.yaml means `equals`."""

    equals: Scalar | None = None
    minimum: Bound | None = None
    maximum: Bound | None = None
    exists: bool | None = None
    """True: the field exists and is not null. False: it does not exist."""
    filled: Literal[True] | None = None
    """The field exists and is neither null nor an empty text, list or object."""

    @model_validator(mode="after")
    def _demands(self) -> JsonDemand:
        bounds = (self.equals, self.minimum, self.maximum, self.filled)
        if self.exists is None and all(one is None for one in bounds):
            raise ValueError(
                "this requires nothing of the field: write the required value, {filled: true}, "
                "{exists: true}, {minimum: N}, {maximum: N} or {exists: false}"
            )
        if self.exists is False and any(one is not None for one in bounds):
            raise ValueError("a field that must not exist has no value: write {exists: false} alone")
        return self

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: Any) -> Any:  # noqa: ANN401 - what YAML holds
        return {"equals": value} if isinstance(value, str | int | float | bool) else value


class _BodyCheck(CheckSpec):
    """A check's requirements for a body."""

    contains: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    starts_with: str | None = None
    json_: dict[Place, JsonDemand] = Field(default_factory=dict, alias="json")
    """Path such as `results.0.id` -> its requirement."""
    min_bytes: Annotated[int, Field(ge=1)] | None = None
    max_bytes: Annotated[int, Field(ge=0)] | None = None


def _wrong_body(answer: WebAnswer, spec: _BodyCheck) -> str:
    """The problem with the body; empty without one."""
    size = len(answer.body)
    missing = next((text for text in spec.contains if text.encode() not in answer.body), None)
    present = next((text for text in spec.lacks if text.encode() in answer.body), None)
    complaints = (
        (missing is not None, f"the page lacks “{missing}”"),
        (present is not None, f"the page has “{present}”"),
        (spec.starts_with is not None and not answer.body.startswith((spec.starts_with or "").encode()),
         f"does not begin with “{spec.starts_with}”"),
        (spec.min_bytes is not None and size < (spec.min_bytes or 0), f"only {plural(size, 'byte')}"),
        (spec.max_bytes is not None and size > (spec.max_bytes or 0),
         f"{plural(size, 'byte')}, more than {spec.max_bytes or 0:,}"),
    )  # fmt: skip
    found = next((words for wrong, words in complaints if wrong), "")
    return found or next(filter(None, (_wrong_at(answer, *demand) for demand in spec.json_.items())), "")


def _wrong_at(answer: WebAnswer, path: str, demand: JsonDemand) -> str:
    found = list(values_at(answer, path))
    if demand.exists is False:
        return f"there is a JSON field “{path}”" if found else ""
    if not found:
        return f"no JSON field “{path}”"
    if (demand.exists and all(one is None for one in found)) or (demand.filled and not any(map(_filled, found))):
        return f"JSON “{path}” is empty"
    if demand.equals is not None and not any(_same(one, demand.equals) for one in found):
        return f"JSON “{path}” is {_shown(found[0])}, expected {demand.equals!r}"
    for bound, beyond in ((demand.minimum, -1), (demand.maximum, 1)):
        if bound is not None and not any(_number(one) and (one - bound) * beyond <= 0 for one in found):
            return f"JSON “{path}” is {_shown(found[0])}, expected at {'least' if beyond < 0 else 'most'} {bound:g}"
    return ""


def _same(one: object, wanted: Scalar) -> bool:
    return type(one) is type(wanted) and one == wanted


def _filled(value: object) -> bool:
    return value is not None and value not in ("", [], {})


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: object) -> str:
    """A number or a boolean; for other values only the type."""
    return str(value).lower() if isinstance(value, int | float) else f"a {type(value).__name__}"


def _parsed(answer: WebAnswer) -> object:
    """The JSON of the body; None if it is not JSON."""
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def values_at(answer: WebAnswer, path: str) -> Iterator[Any]:
    """Every value at `path`: names and numbers between dots, `*` for every item of a list; `$` is the whole."""
    found = [_parsed(answer)]
    for part in path.split(".") if path != "$" else ():
        found = [below for one in found for below in _below(one, part)]
    yield from found


def _below(value: object, part: str) -> list[Any]:
    if isinstance(value, dict):
        return [value[part]] if part in value else []
    if isinstance(value, list):
        if part == "*":
            return value
        place = whole(part)
        return [] if place is None else value[place : place + 1]
    return []


def _first_id(answer: WebAnswer, name: str) -> int | str | None:
    """The value of `name` in the first item of a list, or of its `results`."""
    data = _parsed(answer)
    items = data.get("results") if isinstance(data, dict) else data
    first = items[0] if isinstance(items, list) and items else None
    found = first.get(name) if isinstance(first, dict) else None
    return found if isinstance(found, int | str) else None


def _link_in(answer: WebAnswer, pattern: str) -> str | None:
    """The path that the pattern's group finds in the page."""
    found = re.search(pattern, answer.body.decode(errors="replace"))
    return found.group(1) if found and found.groups() else None


Status = Annotated[int, Field(ge=100, lt=600)]
Path = Annotated[str, Field(pattern=r"^/[!-~]*$")]
"""Path and query."""
SET_ACCOUNT = "set USCDR_CHECK_TOKEN, or USCDR_CHECK_EMAIL and USCDR_CHECK_PASSWORD"
OK, REFUSED = 200, 400
SLOWER, SLOW = 5.0, 2.0
"""A page is slow if it takes this many times as long as in the baseline, and at least this many seconds."""
IMAGES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"<svg", b"<?xml")
"""The first bytes of images."""


class HttpCheck(_BodyCheck):
    """One read-only request and the requirements for its answer."""

    kind: Literal["http"]
    path: Path
    method: Literal["GET", "POST"] = "GET"
    json_body: dict[str, Any] | None = None
    """Only `{}`. The refusal of an empty form proves that the request reaches the validator, and writes nothing."""
    multipart_body: dict[str, Any] | None = None
    """Only `{}`: an empty multipart form instead of `json_body`, if the application parses no other format."""
    limit: AttemptLimit | None = None
    """The number of refusals after which the application blocks the address. A run sends one request. The requests of
    this machine are counted over all runs, and half of the limit is reserved for users: at the limit the check is
    `not checked`. A login has a default limit."""
    auth: bool = False
    """Send the check account's token."""
    status: Status = OK
    below: Annotated[int, Field(gt=200, lt=600)] | None = None
    """Accept every status below this one, instead of `status`: 500 accepts every answer except server errors."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Name -> a text that the header must contain; an empty text requires only that the header exists."""
    within: Duration | None = None
    """The answer must arrive within this time."""
    id: Annotated[str, Field(min_length=1)] = "id"
    """The name of the id in the items of a list; `follow` uses it."""
    follow: Path | None = None
    """A second request: the path with `{id}` replaced by the id of the first item of a JSON list (or of its `results`).
    `starts_with`, `min_bytes` and `contains` then apply to the second answer."""
    follow_link: str | None = None
    """A pattern with one group that finds a path in the page. That path must answer 200, and not with an HTML page."""
    image: str | None = None
    """JSON path such as `results.*.banner_image`: the first address there must return an image."""

    may_be_empty: ClassVar[frozenset[str]] = _BodyCheck.may_be_empty | {"json_body", "multipart_body"}

    @field_validator("follow_link")
    @classmethod
    def _finds_a_path(cls, pattern: str | None) -> str | None:
        try:
            groups = re.compile(pattern or "()").groups
        except re.error as error:
            raise ValueError(f"this is not a valid pattern: {error}") from None
        if groups != 1:
            raise ValueError('write a pattern with one group that finds a path: \'src="(/static/[^"]+)"\'')
        return pattern

    @model_validator(mode="after")
    def _post_reads(self) -> HttpCheck:
        filled = self.json_body or self.multipart_body
        if self.method == "POST" and (self.status < REFUSED or filled or self.below is not None):
            raise ValueError(
                "a POST check must send an empty form (json_body: {} or multipart_body: {}) and expect a refusal, "
                "because a check writes nothing"
            )
        if self.multipart_body is not None and (self.method != "POST" or self.json_body is not None):
            raise ValueError("multipart_body requires method: POST, and replaces json_body")
        if self.limit is not None and self.method != "POST":
            raise ValueError("limit requires method: POST: it counts refused forms")
        if self.method == "POST" and self.auth and "logout" in self.path:
            raise ValueError("a signed-in logout would end the check account's session everywhere")
        return self

    @property
    @override
    def counted(self) -> AttemptLimit | None:
        login = self.method == "POST" and "login" in self.path
        return self.limit or (LOGINS if login else None)

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        token = context.token() if self.auth else None
        if self.auth and token is None:
            return Finding("not checked", f"there is no check account: {SET_ACCOUNT}")
        if self.counted is not None and context.attempts is not None:
            finding = context.attempts.count(
                urlsplit(self.path).path, self.counted, lambda: _looked(context, self, token)
            )
        else:
            finding = _looked(context, self, token)
        return _slower(finding, context.before(name))


def _looked(context: CheckContext, spec: HttpCheck, token: SecretStr | None) -> Finding:
    site = context.website()
    finding = _ask(site, spec, token)
    if finding.verdict == "pass" and spec.image is not None:
        finding = _image(site, spec, token, finding.measures)
    return finding


def _ask(website: Website, spec: HttpCheck, token: SecretStr | None) -> Finding:
    """One check, without the baseline. A dead application raises ProviderError."""
    empty_form = spec.multipart_body is not None
    answer = website.ask(
        spec.method, spec.path, token=token, json_body=spec.json_body, empty_form=empty_form,
        once=spec.counted is not None,
    )  # fmt: skip
    head = _wrong_head(answer, spec)
    wrong = head or (_wrong_body(answer, spec) if spec.follow is None else "")
    if wrong:
        return Finding("fail", f"{wrong} ({spec.path})", cause=_answered(answer.status) if head else "")
    if spec.follow is not None:
        return _follow(website, spec, answer, token)
    if spec.follow_link is not None:
        return _follow_link(website, spec, answer)
    return _good(spec.path, answer)


def _answered(status: int) -> str:
    return f"{ANSWERS}{status}"


def _good(path: str, answer: WebAnswer) -> Finding:
    words = f"{answer.status}, {plural(len(answer.body), 'byte')} in {answer.seconds:.2f} s ({path})"
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
    item = _first_id(answer, spec.id)
    if item is None or spec.follow is None:
        return Finding("inconclusive", f"the list is empty, so there is no item to follow ({spec.path})")
    second = website.ask("GET", spec.follow.replace("{id}", str(item)), token=token)
    if second.status != OK:
        return Finding("fail", f"status {second.status} ({spec.follow})", cause=_answered(second.status))
    if wrong := _wrong_body(second, spec):
        return Finding("fail", f"{wrong} ({spec.follow})")
    return _good(spec.follow, second)


def _follow_link(website: Website, spec: HttpCheck, answer: WebAnswer) -> Finding:
    path = _link_in(answer, spec.follow_link or "")
    if path is None:
        return Finding("fail", f"the page has no such link ({spec.path})")
    second = website.ask("GET", path)
    if second.status != OK or not second.body or second.body.lstrip()[:5].lower() in (b"<!doc", b"<html"):
        return Finding("fail", f"{second.status}, {plural(len(second.body), 'byte')}, the wrong content ({path})")
    return _good(spec.path, answer)


def _image(site: Website, spec: HttpCheck, token: SecretStr | None, measures: Measures) -> Finding:
    """Fetch the first image of the list. Requests the list again, because answers are not kept."""
    found = values_at(site.ask("GET", spec.path, token=token), spec.image or "")
    addresses = [one for one in found if isinstance(one, str) and one]
    if not addresses:
        return Finding("inconclusive", f"no item has an image ({spec.path})")
    answer = site.fetch(addresses[0])
    if answer.status != OK or not answer.body.lstrip().startswith(IMAGES):
        return Finding("fail", f"an image returned {answer.status}, or no image ({spec.path})")
    words = f"{plural(len(addresses), 'image')} named, one fetched: {plural(len(answer.body), 'byte')} ({spec.path})"
    return Finding("pass", words, measures)


def _slower(finding: Finding, before: Measures) -> Finding:
    then, now = before.get("seconds"), finding.measures.get("seconds")
    if finding.verdict != "pass" or not isinstance(then, float) or not isinstance(now, float):
        return finding
    if now > SLOW and now > SLOWER * then:
        return Finding("fail", f"{finding.evidence}; the baseline has {then:.2f} s", finding.measures)
    return finding


# Whether the application uses this database: a number that it shows must equal the database's own.


Number = int | float


class AgreeCheck(CheckSpec):
    """The application's number equals the database's number."""

    kind: Literal["agree"]
    path: Path
    auth: bool = False
    """Send the check account's token."""
    json_: Annotated[str, Field(alias="json", min_length=1)]
    """The path of the number in the response, such as `totals.patients`."""
    query: Annotated[str, Field(min_length=1)]
    """Returns the same number."""

    provider: ClassVar[Provider] = "application"

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        if self.auth and context.token() is None:
            return Finding("not checked", f"there is no check account: {SET_ACCOUNT}")
        first = _compared(name, self, context)
        # Repeat once if they differ, because of a write in between.
        return _compared(name, self, context) if first.verdict == "fail" else first


def _compared(name: str, spec: AgreeCheck, context: CheckContext) -> Finding:
    shown = _application(spec, context)
    if isinstance(shown, Finding):
        return shown
    (result,) = context.database().invariants([Invariant(name=name, sql=spec.query)])
    own = number(result.seen) if result.holds is not None else None
    if own is None:
        why = result.seen if result.holds is None else f"it gave {result.seen}, not a number"
        return Finding("inconclusive", f"the database query failed: {why}")
    if shown != own:
        words = f"{spec.path} says {shown:,}, the database {own:,}"
        return Finding("fail", f"{words}: the application may use another database")
    if not own:
        return Finding("inconclusive", f"{spec.path} and the database both say 0, which any empty database would")
    return Finding("pass", f"{spec.path} and the database both say {own:,}", {"value": own})


def _application(spec: AgreeCheck, context: CheckContext) -> Number | Finding:
    """The number that the application shows, or the finding without one."""
    answer = context.website().ask("GET", spec.path, token=context.token() if spec.auth else None)
    if answer.status != OK:
        words = f"{spec.path}: status {answer.status}, expected {OK}"
        return Finding("fail", words, cause=_answered(answer.status))
    found = list(values_at(answer, spec.json_))
    numbers = [one for one in found if isinstance(one, int | float) and not isinstance(one, bool)]
    if len(found) != 1 or len(numbers) != 1:
        return Finding("fail", f"{spec.path}: {len(numbers)} numbers at JSON “{spec.json_}”, expected one")
    return numbers[0]


# A complete login and logout. It writes (last login, token), so it runs only if the operator allows writes.


SET_PASSWORD = "set USCDR_CHECK_EMAIL and USCDR_CHECK_PASSWORD"  # noqa: S105 - names of variables
_ANSWERED = 200
SIGNED_OUT = (401, 403)


class SessionCheck(CheckSpec):
    """Signs in the check account with its password, reads its profile, and signs it out if its token is not in use."""

    kind: Literal["session"]
    profile: Path = "/api/auth/profile/me/"
    logout: Path = "/api/auth/logout/"

    writes: ClassVar[bool] = True

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        given = context.token()
        token = context.sign_in() if context.writable is not None else None
        if context.writable is None or token is None:
            return Finding("not checked", f"needs --allow-writes and the check account: {SET_PASSWORD}")
        site = context.writable()
        if site.ask("GET", self.profile, token=token).status != _ANSWERED:
            return Finding("fail", f"{self.profile}: the application does not accept the new login")
        # Logging out deletes the account's only token, so a configured token, which may be in use, is not logged out.
        if given is not None and given.get_secret_value() == token.get_secret_value():
            return Finding("pass", "login works; uscdr did not log out, because that would revoke a token in use")
        status = site.send(Sending(method="POST", path=self.logout, json_body={}), token).status
        if status != _ANSWERED:
            return Finding("fail", f"{self.logout}: status {status}")
        if site.ask("GET", self.profile, token=token).status not in SIGNED_OUT:
            return Finding("fail", f"{self.logout}: the token still works after logout")
        return Finding("pass", "login and logout work")
