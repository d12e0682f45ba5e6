"""What an object store's errors mean. Nothing of their text is repeated: stores put keys and signatures into it."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from obstore import exceptions

from uscdr.store.store import ChecksumRefused, NotExclusive, StoreRefused, StoreRetains, StoreUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from uscdr.errors import MachineError

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z]{3,60})</Code>")
_KIND = re.compile(r"kind: (Connect|Timeout|Interrupted|Decode|Request)\b")
_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "InvalidBucketName", "InvalidResourceName")
_NO_ROOM = ("QuotaExceeded", "ServiceQuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "AccountQuotaExceeded")
_CHECKSUM = (
    "MissingUploadObjectWithObjectLockHeaders", "MissingContentMD5", "MissingChecksum", "InvalidRequest",
    "InvalidArgument", "UnsupportedArgument", "UnsupportedHeader", "NotImplemented",
)  # fmt: skip
"""What stores answer to a write without a checksum where they want one, or with one of a kind they do not know."""
_RETAINED = (
    "RetentionPolicyNotMet", "ObjectUnderActiveHold", "BlobImmutableDueToPolicy", "BlobImmutableDueToLegalHold",
    "ObjectLockedByBucketPolicy", "ObjectLocked", "WORMProtected",
)  # fmt: skip
_ELSEWHERE = "incorrectly configured region"
_WAYS = {"Connect": "No connection could be made.", "Timeout": "It took too long to answer."}
_UNAUTHORIZED, _FORBIDDEN, _TOO_MANY, _SERVER, _NOT_IMPLEMENTED, _FULL = 401, 403, 429, 500, 501, 507


@dataclass(frozen=True)
class _Answer:
    """What may be told of an answer: the HTTP status, the store's own word, how the connection failed."""

    status: int | None
    code: str
    kind: str

    @property
    def words(self) -> str:
        if self.status is None:
            return _WAYS.get(self.kind, "The connection broke before the answer was there.")
        return f"It answered {self.status}{f' {self.code}' if self.code else ''}."


@contextmanager
def explained(place: str) -> Iterator[None]:
    """Errors of obstore in our words; a missing object, a taken name and a changed one are left to the caller."""
    try:
        yield
    except (exceptions.AlreadyExistsError, exceptions.PreconditionError):
        raise
    except FileNotFoundError as error:
        if _answer(error).code in _NO_BUCKET:
            raise _no_bucket(place) from None
        raise
    except exceptions.BaseError as error:
        raise _explain(error, place) from None


def _explain(error: exceptions.BaseError | OSError | ValueError, place: str) -> MachineError:
    """The error to raise in place of `error`, `from None`."""
    answer = _answer(error)
    refused = _refused(error, answer, place)
    if refused is not None:
        return refused
    if answer.status is not None and answer.status < _SERVER and answer.status != _TOO_MANY:
        return StoreRefused(f"{place} refuses.", why=answer.words, next_action="Look the answer up in its manual.")
    return StoreUnreachable(
        f"{place} cannot be reached.",
        why=answer.words,
        next_action="Look at the network and at the store's status page; then start this again.",
    )


def _refused(error: BaseException, answer: _Answer, place: str) -> StoreRefused | None:
    by_code = _by_code(answer, place)
    if by_code is not None:
        return by_code
    if _is_refusal(error, answer):
        return _credentials(place, answer)
    if isinstance(error, exceptions.NotSupportedError) or answer.status == _NOT_IMPLEMENTED:
        return NotExclusive(
            f"{place} cannot do what is needed to create a name only once.",
            why=answer.words if answer.status else "",
            next_action="Use a store with conditional writes (S3, Google Cloud Storage, Azure, R2, MinIO).",
        )
    if _ELSEWHERE in str(error):
        return StoreRefused(f"{place} is in another region.", next_action="Set AWS_REGION to the bucket's region.")
    return None


def _by_code(answer: _Answer, place: str) -> StoreRefused | None:
    """What the store's own word tells."""
    if answer.code in _NO_BUCKET:
        return _no_bucket(place)
    if answer.code in _CHECKSUM:
        return ChecksumRefused(
            f"{place} refuses what was to be written.",
            why=f"{answer.words} It takes neither the checksums that a write carries here nor a write without one, "
            "or it cannot create a name only once.",
            next_action="Use a store with conditional writes (S3, Google Cloud Storage, Azure, R2, MinIO).",
        )
    if answer.code in _RETAINED:
        return StoreRetains.at(place, answer.words)
    if answer.code in _NO_ROOM or answer.status == _FULL:
        return StoreRefused(
            f"{place} takes no more: its quota is used up.",
            why=answer.words,
            next_action="Raise the quota or make room.",
        )
    return None


def _no_bucket(place: str) -> StoreRefused:
    return StoreRefused(
        f"There is no such bucket: {place}.",
        next_action="Mend the name, or make it: a private bucket in an account that shares nothing with the platform.",
    )


def _answer(error: BaseException) -> _Answer:
    text = str(error)
    status, code, kind = _STATUS.search(text), _CODE.search(text), _KIND.search(text)
    return _Answer(int(status[1]) if status else None, code[1] if code else "", kind[1] if kind else "")


def _is_refusal(error: BaseException, answer: _Answer) -> bool:
    refusals = (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError)
    return isinstance(error, refusals) or answer.status in (_UNAUTHORIZED, _FORBIDDEN)


def _credentials(place: str, answer: _Answer) -> StoreRefused:
    if answer.code == "RequestTimeTooSkewed":
        return StoreRefused(f"{place} refuses: this machine's clock is wrong.", next_action="Set the clock.")
    return StoreRefused(
        f"{place} refuses these credentials.",
        why=answer.words,
        next_action="Look at AWS_*, GOOGLE_* or AZURE_* in the environment; they need the rights to list, read, write "
        "and, for retention, delete.",
    )
