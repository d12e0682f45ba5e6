"""Translate errors of object stores. Their text is never shown: stores put keys and signatures into it."""

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
"""Answers of stores that require a checksum on a write, or do not support the kind of checksum that was sent."""
_RETAINED = (
    "RetentionPolicyNotMet", "ObjectUnderActiveHold", "BlobImmutableDueToPolicy", "BlobImmutableDueToLegalHold",
    "ObjectLockedByBucketPolicy", "ObjectLocked", "WORMProtected",
)  # fmt: skip
_ELSEWHERE = "incorrectly configured region"
_WAYS = {"Connect": "No connection could be made.", "Timeout": "The store took too long to answer."}
_UNAUTHORIZED, _FORBIDDEN, _TOO_MANY, _SERVER, _NOT_IMPLEMENTED, _FULL = 401, 403, 429, 500, 501, 507


@dataclass(frozen=True)
class _Answer:
    """The part of an answer that is safe to show: HTTP status, error code, and how the connection failed."""

    status: int | None
    code: str
    kind: str

    @property
    def words(self) -> str:
        if self.status is None:
            return _WAYS.get(self.kind, "The connection broke before the store answered.")
        return f"The store answered {self.status}{f' {self.code}' if self.code else ''}."


@contextmanager
def explained(place: str) -> Iterator[None]:
    """Translate errors of obstore. The caller handles a missing object, a taken name and a changed object."""
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
        return StoreRefused(
            f"{place} refused the request.", why=answer.words, next_action="Look up this answer in the store's manual."
        )
    return StoreUnreachable(
        f"uscdr cannot reach {place}.",
        why=answer.words,
        next_action="Check the network and the store's status page. Then run the command again.",
    )


def _refused(error: BaseException, answer: _Answer, place: str) -> StoreRefused | None:
    by_code = _by_code(answer, place)
    if by_code is not None:
        return by_code
    if _is_refusal(error, answer):
        return _credentials(place, answer)
    if isinstance(error, exceptions.NotSupportedError) or answer.status == _NOT_IMPLEMENTED:
        return NotExclusive(
            f"{place} does not support conditional writes.",
            why=answer.words if answer.status else "",
            next_action="Use a store with conditional writes (S3, Google Cloud Storage, Azure, R2, MinIO).",
        )
    if _ELSEWHERE in str(error):
        return StoreRefused(
            f"The bucket {place} is in another region.", next_action="Set AWS_REGION to the bucket's region."
        )
    return None


def _by_code(answer: _Answer, place: str) -> StoreRefused | None:
    """The error for a known error code; None for an unknown one."""
    if answer.code in _NO_BUCKET:
        return _no_bucket(place)
    if answer.code in _CHECKSUM:
        return ChecksumRefused(
            f"{place} refused the write.",
            why=f"{answer.words} The store accepts neither the checksums that uscdr sends nor a write without one, "
            "or it does not support conditional writes.",
            next_action="Use a store with conditional writes (S3, Google Cloud Storage, Azure, R2, MinIO).",
        )
    if answer.code in _RETAINED:
        return StoreRetains.at(place, answer.words)
    if answer.code in _NO_ROOM or answer.status == _FULL:
        return StoreRefused(
            f"{place} refused the write: its quota is used up.",
            why=answer.words,
            next_action="Raise the quota or delete data.",
        )
    return None


def _no_bucket(place: str) -> StoreRefused:
    return StoreRefused(
        f"The bucket {place} does not exist.",
        next_action="Correct the name, or create a private bucket in an account that is separate from the platform.",
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
        return StoreRefused(
            f"{place} refused the request: this machine's clock is wrong.", next_action="Set the clock."
        )
    return StoreRefused(
        f"{place} refused these credentials.",
        why=answer.words,
        next_action="Check AWS_*, GOOGLE_* or AZURE_* in the environment. They need the rights to list, read and "
        "write. Retention also needs the right to delete.",
    )
