"""What stores say, in our words: nothing of their text, which may hold keys."""

from __future__ import annotations

import pytest
from obstore import exceptions

from uscdr.errors import MachineError
from uscdr.store.errors import _explain, explained
from uscdr.store.store import NotExclusive, StoreRefused, StoreUnreachable

PLACE = "s3://bucket/safe"
CANARY = "AKIACANARYKEYOFVAULT"


def answer(status: int, code: str) -> str:
    return (
        f"Generic S3 error: Error performing PUT https://x/k in 5ms - Server returned non-2xx status code: {status} "
        f"Word: <Error><Code>{code}</Code><AWSAccessKeyId>{CANARY}</AWSAccessKeyId></Error>"
    )


def broken(kind: str) -> str:
    return f"Generic S3 error: error sending request\n inner: Http(HttpError {{ kind: {kind}, url: {CANARY} }})"


CASES: list[tuple[Exception, type[MachineError], str, str]] = [
    (exceptions.PermissionDeniedError(answer(403, "Denied")), StoreRefused, "refused these cred", "403 Denied"),
    (exceptions.UnauthenticatedError(answer(401, "")), StoreRefused, "refused these cred", "The store answered 401."),
    (exceptions.GenericError(answer(403, "RequestTimeTooSkewed")), StoreRefused, "clock is wrong", ""),
    (FileNotFoundError(answer(404, "NoSuchBucket")), StoreRefused, "The bucket s3://bucket/safe does not exist", ""),
    (exceptions.GenericError(answer(404, "ContainerNotFound")), StoreRefused, "does not exist", ""),
    (exceptions.GenericError(answer(403, "QuotaExceeded")), StoreRefused, "quota is used up", "403 QuotaExceeded"),
    (exceptions.GenericError(answer(507, "XMinioStorageFull")), StoreRefused, "quota is used up", "507"),
    (exceptions.NotSupportedError("no"), NotExclusive, "does not support conditional writes", ""),
    (exceptions.GenericError(answer(501, "")), NotExclusive, "not support conditional writes", "answered 501."),
    (
        exceptions.GenericError("redirect without LOCATION, this normally indicates an incorrectly configured region"),
        StoreRefused, "in another region", "",
    ),
    (exceptions.GenericError(answer(400, "EntityTooLarge")), StoreRefused, "refused", "400 EntityTooLarge"),
    (exceptions.GenericError(answer(503, "SlowDown")), StoreUnreachable, "cannot reach", "503 SlowDown"),
    (exceptions.GenericError(answer(429, "TooManyRequests")), StoreUnreachable, "cannot reach", "429"),
    (exceptions.GenericError(answer(500, "InternalError")), StoreUnreachable, "cannot reach", "500"),
    (exceptions.GenericError(broken("Connect")), StoreUnreachable, "cannot reach", "No connection could be made."),
    (exceptions.GenericError(broken("Timeout")), StoreUnreachable, "cannot reach", "too long to answer"),
    (exceptions.GenericError(broken("Interrupted")), StoreUnreachable, "cannot reach", "before the store answered"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "kind", "message", "why"), CASES, ids=range(len(CASES)))
def test_in_our_words(error: Exception, kind: type[MachineError], message: str, why: str) -> None:
    assert isinstance(error, exceptions.BaseError | OSError)
    found = _explain(error, PLACE)
    assert type(found) is kind
    assert message in found.message
    assert why in found.why
    assert CANARY not in f"{found.message} {found.why} {found.next_action}"


def test_what_the_caller_decides_on_passes() -> None:
    for error in (exceptions.AlreadyExistsError("x"), exceptions.PreconditionError("x"), FileNotFoundError("x")):
        with pytest.raises(type(error)), explained(PLACE):
            raise error
    with pytest.raises(StoreRefused) as caught, explained(PLACE):
        raise exceptions.PermissionDeniedError(answer(403, "InvalidAccessKeyId"))
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
