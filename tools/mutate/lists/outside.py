"""What goes out, and what is told: retries, refused writes, lost answers, hidden secrets."""

from __future__ import annotations

from tools.mutate.lists import rooms

_HTTP, _BUS = "tests/unit/providers/http", "tests/unit/events/test_bus.py"
_RETRY, _FORMS, _BOUND, _OUTAGES, _REFUSAL = (
    f"{_HTTP}/test_{one}.py" for one in ("retry", "empty_forms", "bound_credentials", "outages", "refusal")
)
_READ_ONLY, _FAULTS = (f"tests/unit/providers/heroku/test_heroku_{one}.py" for one in ("read_only", "faults"))

_retry = rooms.of("retry", _RETRY, _OUTAGES, _FAULTS, _HTTP)
_dry = rooms.of("dry-run", _FORMS, _READ_ONLY, _HTTP)
_lost = rooms.of("lost", _REFUSAL, _FAULTS, _HTTP)
_hide = rooms.of("redaction", _BUS, _RETRY, "tests/unit/events")
_bus = rooms.of("bus", _BUS, "tests/unit/events", "tests/unit/engine")

RETRY = (
    _retry(
        "write",
        "return not writes or not error.sent or isinstance(error, RateLimited)",
        "return not writes or bool(error)",
        "a write whose answer was lost is sent again",
    ),
    _retry(
        "rate",
        "return not writes or not error.sent or isinstance(error, RateLimited)",
        "return not writes or not error.sent",
        "a write that was refused for its rate is not sent again",
    ),
    _retry(
        "unsent",
        "return not writes or not error.sent or isinstance(error, RateLimited)",
        "return not writes or isinstance(error, RateLimited)",
        "a write that never arrived is not sent again",
    ),
    _retry(
        "hopeless",
        "if not isinstance(error, ProviderError) or not error.retryable:",
        "if not isinstance(error, ProviderError):",
        "what was refused for good is asked again",
    ),
    _retry(
        "after",
        "self._floor if error.retry_after is None else error.retry_after",
        "self._floor",
        "Retry-After is not heeded",
    ),
    _retry(
        "floor",
        "self._floor if error.retry_after is None else error.retry_after",
        "error.retry_after or 0.0",
        "a refused rate is asked again at once",
    ),
    _retry(
        "in-all",
        "return spent + retry_state.upcoming_sleep > self._seconds",
        "return spent < 0",
        "the waiting has no limit in all",
    ),
    _retry(
        "stop",
        "if self.stop.wait(seconds):\nraise Interrupted(",
        "if self.stop.wait(seconds) and not seconds:\n    raise Interrupted(",
        "Ctrl-C does not end a wait",
    ),
)

DRY_RUN = (
    _dry("patch", 'if method in ("GET", "HEAD"):', 'if method in ("GET", "HEAD", "PATCH"):', "a PATCH is a read"),
    _dry("delete", 'if method in ("GET", "HEAD"):', 'if method in ("GET", "HEAD", "DELETE"):', "a DELETE is a read"),
    _dry(
        "reading-posts",
        "any(method == known and pattern.fullmatch(path) for known, pattern in READING_POSTS)",
        "any(method == known and pattern.match(path) for known, pattern in READING_POSTS)",
        "what begins as a reading POST is one",
    ),
    _dry(
        "reading-method",
        "any(method == known and pattern.fullmatch(path) for known, pattern in READING_POSTS)",
        "any(method and pattern.fullmatch(path) for known, pattern in READING_POSTS)",
        "a DELETE at a reading POST's path is a read",
    ),
    _dry(
        "sent",
        "if not _only_reads(request.method, path) and not self._is_empty_form(request, path):",
        "if not request.method:",
        "a dry run sends writes",
    ),
    _dry(
        "form",
        'path in self._empty_posts and request.read() in (b"{}", EMPTY_FORM)',
        "path in self._empty_posts",
        "a dry run sends a form with something in it",
    ),
    _dry(
        "form-path",
        'path in self._empty_posts and request.read() in (b"{}", EMPTY_FORM)',
        'request.read() in (b"{}", EMPTY_FORM)',
        "a dry run sends an empty form anywhere",
    ),
)

SENT = (
    _lost(
        "origin",
        "if _origin(request.url) != self._origin and any(name in request.headers for name in CREDENTIALS):",
        "if not request.url and any(name in request.headers for name in CREDENTIALS):",
        "credentials go to any address",
        _BOUND,
    ),
    _lost(
        "cookie",
        'CREDENTIALS = ("Authorization", "Cookie")',
        'CREDENTIALS = ("Authorization",)',
        "cookies go to any address",
        _BOUND,
    ),
    _lost(
        "scheme",
        "return url.scheme, url.host, url.port or",
        'return "", url.host, url.port or',
        "credentials go in clear text",
        _BOUND,
    ),
)

REDACTION = (
    _hide(
        "base64",
        'for spelling in (value, quote(value, safe=""), *_in_base64(value)):',
        'for spelling in (value, quote(value, safe="")):',
        "a secret in base64 is shown",
    ),
    _hide(
        "quoted",
        'for spelling in (value, quote(value, safe=""), *_in_base64(value)):',
        "for spelling in (value, *_in_base64(value)):",
        "a secret in a URL is shown",
    ),
    _hide("shifted", "for before in range(3):", "for before in range(1):", "a secret in the middle of base64 is shown"),
    _hide(
        "urlsafe",
        "for encode in (base64.b64encode, base64.urlsafe_b64encode):",
        "for encode in (base64.b64encode,):",
        "a secret in the base64 of URLs is shown",
    ),
    _hide(
        "longest",
        "key=lambda item: -len(item[0])",
        "key=lambda item: len(item[0])",
        "the rest of a longer secret is shown",
    ),
    _hide(
        "dict",
        "return {key: self.data(item) for key, item in value.items()}",
        "return dict(value)",
        "secrets inside of objects are shown",
    ),
    _hide(
        "list", "return [self.data(item) for item in value]", "return list(value)", "secrets inside of lists are shown"
    ),
)

ON_THE_BUS = (
    _bus(
        "number",
        "ledger.record(stamped)\nself._seq = stamped.seq + 1",
        "ledger.record(stamped)\nself._seq = stamped.seq + 2",
        "numbers have gaps",
    ),
    _bus(
        "used",
        "for ledger in self._ledgers:\nledger.record(stamped)\nself._seq = stamped.seq + 1",
        "self._seq = stamped.seq + 1\nfor ledger in self._ledgers:\n    ledger.record(stamped)",
        "a number is used by a line that was not written",
    ),
    _bus(
        "progress",
        "return Stamped(run=self.run, seq=None,",
        "return Stamped(run=self.run, seq=self._seq,",
        "progress is written into the journal",
    ),
    _bus("viewer", "self._viewers.remove(viewer)\nlost", "lost", "a screen that failed is asked again"),
    _bus(
        "viewer-stops",
        "except Exception as error:  # noqa: BLE001 - a closed or defective screen must not stop a recovery",
        "except KeyError as error:",
        "a screen that fails stops a recovery",
    ),
    _bus(
        "before",
        "for ledger in self._ledgers:\nledger.record(stamped)\nself._seq",
        "self._show(stamped)\nfor ledger in self._ledgers:\n    ledger.record(stamped)\nself._seq",
        "what is not written down yet is shown",
    ),
)

ALL = (*RETRY, *DRY_RUN, *SENT, *REDACTION, *ON_THE_BUS)
