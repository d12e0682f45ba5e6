"""Checks that create something, read it, and remove it again. They run only if the operator allows writes."""

from __future__ import annotations

import secrets
import struct
import zlib
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator
from typing_extensions import override

from uscdr.checks.attempts import AttemptLimit
from uscdr.checks.check import CheckSpec
from uscdr.checks.kinds.http import SET_ACCOUNT, Path, values_at
from uscdr.checks.verdict import Finding
from uscdr.errors import AnswerLost, ProviderError, RateLimited
from uscdr.models.base import Fact
from uscdr.models.probes import Sending, WebAnswer
from uscdr.words import plural

if TYPE_CHECKING:
    from uscdr.checks.context import CheckContext
    from uscdr.providers.ports.probes import CanaryApplication

# An image of one pixel, different each time: an application may refuse a duplicate.


SIGNATURE = b"\x89PNG\r\n\x1a\n"
_WIDTH, _HEIGHT, _BITS, _GREY = 1, 1, 8, 0


def _png(comment: str) -> bytes:
    """A valid PNG that contains `comment`, which must be ASCII."""
    header = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, _BITS, _GREY, 0, 0, 0)
    return b"".join((
        SIGNATURE,
        _chunk(b"IHDR", header),
        _chunk(b"tEXt", b"Comment\0" + comment.encode("ascii")),
        _chunk(b"IDAT", zlib.compress(b"\0\xff")),
        _chunk(b"IEND", b""),
    ))  # fmt: skip


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


MARK = "uscdr-canary-"
"""The prefix of created names, by which a later check finds leftovers."""
FILES = {"text": (".txt", "text/plain"), "image": (".png", "image/png")}
"""By content: how the name ends, and its type."""
ACCEPTED = (200, 201, 202, 204)
GONE = (200, 204, 404)


class Leftovers(Fact):
    """Where to find leftovers of a killed check: a list, and its field that contains the mark."""

    path: Path
    name: Annotated[str, Field(min_length=1)]
    id: Annotated[str, Field(min_length=1)] = "id"
    """The list's field for the id."""


class CanaryCheck(CheckSpec):
    """Creates, reads and removes one object. Replaces `{mark}` and `{email}` in texts, and `{id}` in paths."""

    kind: Literal["canary"]
    path: Path
    """The path that creates it, by POST."""
    json_body: dict[str, Any] | None = None
    upload: str | None = None
    """The form field of a small file in a multipart form; instead of `json_body`."""
    content: Literal["text", "image"] = "text"
    """The content of the small file: a line of text, or an image of one pixel."""
    form: dict[str, str] = Field(default_factory=dict)
    """Text fields of the form beside the file."""
    id: Annotated[str, Field(min_length=1)] = "id"
    """JSON path of the id in the first answer, used for the removal."""
    look: Path | None = None
    """The path that reads it: it must answer 200."""
    fetch: str | None = None
    """JSON path in the first answer: the address there must give the file's bytes."""
    expect: dict[str, str | int | bool] = Field(default_factory=dict)
    """JSON path in the first answer -> value."""
    remove: Path | None = None
    """The path that removes it, by DELETE; None if nothing stays."""
    leftovers: Leftovers | None = None
    limit: AttemptLimit | None = None
    """The rate limit, such as mails a day; checks use half of it, and one per run."""

    writes: ClassVar[bool] = True
    may_be_empty: ClassVar[frozenset[str]] = CheckSpec.may_be_empty | {"json_body", "form"}

    @property
    @override
    def counted(self) -> AttemptLimit | None:
        return self.limit

    @model_validator(mode="after")
    def _takes_back(self) -> CanaryCheck:
        if (self.json_body is None) == (self.upload is None):
            raise ValueError("a canary sends json_body or upload")
        if self.upload is None and (self.form or self.content != "text"):
            raise ValueError("form and content go with upload")
        if self.remove is not None and "{id}" not in self.remove:
            raise ValueError("remove needs {id}: a canary may remove only its own object")
        return self

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        token = context.token()
        if context.writable is None or token is None:
            return Finding("not checked", f"needs --allow-writes and a check account: {SET_ACCOUNT}")
        canary = _Canary(self, context.writable(), token, MARK + secrets.token_hex(4), context.account_email)
        if self.limit is None or context.attempts is None:
            return canary.run()
        return context.attempts.count(urlsplit(self.path).path, self.limit, canary.run)


class _Canary:
    def __init__(self, spec: CanaryCheck, site: CanaryApplication, token: SecretStr, mark: str, email: str) -> None:
        self._spec = spec
        self._site = site
        self._token = token
        self._mark = mark
        self._email = email

    def run(self) -> Finding:
        swept = self._sweep()
        try:
            made = self._site.send(self._sending(), self._token)
        except AnswerLost as error:
            return Finding("inconclusive", f"{error.message} It may have left {self._mark} behind.")
        if made.status not in ACCEPTED:
            return Finding("fail", f"{self._spec.path}: status {made.status}")
        item = next(iter(values_at(made, self._spec.id)), None)
        limited, wrong = None, ""
        try:
            wrong = self._wrong(made, item)
        except RateLimited as error:
            limited = error
        except ProviderError as error:
            wrong = error.message
        left = self._remove(item)
        if wrong or left:
            return Finding("fail", "; ".join(filter(None, (wrong, left))))
        if limited is not None:
            raise limited
        words = f"{self._spec.path}: {made.status}" + (", removed again" if self._spec.remove else "")
        return Finding("pass", words + (f"; {swept} left by an earlier check removed" if swept else ""))

    def _sending(self) -> Sending:
        spec = self._spec
        if spec.upload:
            ending, kind = FILES[spec.content]
            form = {key: str(self._filled(value)) for key, value in spec.form.items()}
            return Sending(
                method="POST", path=spec.path, field=spec.upload, form=form, file_name=self._mark + ending,
                content_type=kind, content=self._content,
            )  # fmt: skip
        body = {key: self._filled(value) for key, value in (spec.json_body or {}).items()}
        return Sending(method="POST", path=spec.path, json_body=body)

    @property
    def _content(self) -> bytes:
        words = f"{self._mark}: a file of uscdr verify, to be removed"
        return _png(words) if self._spec.content == "image" else f"{words}\n".encode()

    def _filled(self, value: object) -> object:
        return value.format(mark=self._mark, email=self._email) if isinstance(value, str) else value

    def _wrong(self, made: WebAnswer, item: object) -> str:
        spec = self._spec
        for path, wanted in spec.expect.items():
            if next(iter(values_at(made, path)), None) != wanted:
                return f"{spec.path}: JSON “{path}” is not {wanted!r}"
        if spec.look is not None:
            answer = self._site.ask("GET", spec.look.replace("{id}", str(item)), token=self._token)
            if answer.status != 200 or not answer.body:  # noqa: PLR2004 - HTTP's own number
                return f"{spec.look}: status {answer.status}, {plural(len(answer.body), 'byte')}"
        if spec.fetch is not None:
            address = next(iter(values_at(made, spec.fetch)), None)
            if not isinstance(address, str) or self._site.fetch(address).body != self._content:
                return f"{spec.path}: the stored file differs from the uploaded one"
        return ""

    def _remove(self, item: object) -> str:
        """Empty if it was removed; else the object that a person must remove."""
        if self._spec.remove is None:
            return ""
        if not isinstance(item, int | str):
            return f"the answer has no id: remove {self._mark} by hand"
        path = self._spec.remove.replace("{id}", str(item))
        try:
            status = self._site.send(Sending(method="DELETE", path=path), self._token).status
        except ProviderError as error:
            return f"{self._mark} may be left behind, remove it by DELETE {path} ({error.message})"
        return "" if status in GONE else f"{self._mark} is left behind: DELETE {path} gave status {status}"

    def _sweep(self) -> int:
        """Remove leftovers of killed checks: only objects with the mark."""
        found, remove = self._spec.leftovers, self._spec.remove
        if found is None or remove is None:
            return 0
        answer, swept = self._site.ask("GET", found.path, token=self._token), 0
        items = [*values_at(answer, "results.*"), *values_at(answer, "*")]
        for item in items:
            if isinstance(item, dict) and str(item.get(found.name, "")).startswith(MARK) and found.id in item:
                path = remove.replace("{id}", str(item[found.id]))
                swept += self._site.send(Sending(method="DELETE", path=path), self._token).status in GONE
        return swept
