"""What goes out, and what is told: retries, refused writes, lost answers, hidden secrets."""

from __future__ import annotations

from tools.mutate.lists import rooms

_HTTP, _BUS = "tests/unit/providers/http", "tests/unit/events/test_bus.py"
_RETRY, _FORMS, _BOUND, _LEAVE, _OUTAGES, _REFUSAL, _TRICKLING = (
    f"{_HTTP}/test_{one}.py"
    for one in ("retry", "empty_forms", "bound_credentials", "leave", "outages", "refusal", "trickling")
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
    _retry(
        "attempts",
        "stop_after_attempt(self.policy.attempts)",
        "stop_after_attempt(self.policy.attempts + 1)",
        "one attempt more than there may be",
    ),
    _retry(
        "share",
        "return not outages.may_wait(error.provider, retry_state.upcoming_sleep, share)",
        "return outages is None",
        "a command that only looks waits for each request anew",
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
        "if not only_reads(request.method, path) and not self._is_empty_form(request, path):",
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
    _dry(
        "media",
        "if self.read_only and not reads:",
        "if self.read_only and not call.method:",
        "a dry run writes to the media service",
        "tests/unit/providers/cloudinary",
    ),
    _dry(
        "dns",
        "if self.read_only and message.opcode() != dns.opcode.QUERY:",
        "if self.read_only and message.opcode() == dns.opcode.QUERY:",
        "a dry run changes a zone",
        "tests/unit/providers/dns",
        "tests/conformance/dns",
        "tests/sandbox/test_dns_server.py",
    ),
    _dry(
        "sessions",
        'if self._read_only:\nraise WriteRefused("ending sessions',
        'if not self._link:\n    raise WriteRefused("ending sessions',
        "a dry run ends others' sessions",
        "tests/unit/providers/postgres/test_postgres_sessions.py",
    ),
    _dry(
        "access",
        'if self._read_only:\nraise WriteRefused("withdrawing access',
        'if not self._link:\n    raise WriteRefused("withdrawing access',
        "a dry run withdraws access",
        "tests/unit/providers/postgres/test_access.py",
    ),
    _dry(
        "load",
        'if self._read_only:\nraise WriteRefused("loading a dump',
        'if not dump:\n    raise WriteRefused("loading a dump',
        "a dry run loads a dump",
        "tests/unit/providers/postgres/test_loading_refusals.py",
    ),
    _dry(
        "mail",
        'if request.method != "POST" or request.url != self._url or not asks_for_token:',
        'if request.method != "POST" or request.url != self._url:',
        "a dry run sends another form to the mail service",
        "tests/unit/providers/probes/test_mail_probe.py",
    ),
    _dry(
        "wired",
        "open_ports(job.place, around, work, read_only=job.dry_run)",
        "open_ports(job.place, around, work, read_only=False)",
        "a dry run is wired to write",
        "tests/unit/assembly",
        "tests/unit/cli",
        "tests/unit/engine",
        "tests/sandbox/test_recover_db.py",
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
    _lost(
        "leave",
        "if only_reads(request.method, sent_path(request)):\nreturn self._inner",
        "if request.method:\n    return self._inner",
        "nobody is asked before a write goes out",
        _LEAVE,
    ),
    _lost(
        "leave-short",
        "self._stack.enter_context(self._leave.sending())",
        "self._leave()",
        "a process that stands still while it sends is not ended",
        _LEAVE,
    ),
    _lost(
        "leave-head",
        "if moment.endswith((_HEAD, _BODY)):",
        "if moment.endswith(_BODY):",
        "leave is asked after the head went out",
        _LEAVE,
    ),
    _lost(
        "never-arrived",
        "httpx.ProxyError,\nhttpx.UnsupportedProtocol,",
        "httpx.ProxyError,\nhttpx.UnsupportedProtocol,\nhttpx.ReadError,",
        "a request whose answer was cut off never arrived",
    ),
    _lost(
        "timeout",
        "httpx.ProxyError,\nhttpx.UnsupportedProtocol,",
        "httpx.ProxyError,\nhttpx.UnsupportedProtocol,\nhttpx.ReadTimeout,",
        "a request without an answer never arrived",
    ),
    _lost(
        "unanswered",
        "if call.writes:\nreturn answer_lost(call, provider=provider, why=why)",
        "if not call.method:\n    return answer_lost(call, provider=provider, why=why)",
        "a write without an answer failed",
    ),
    _lost(
        "unusable",
        "if call.writes:\nreturn answer_lost(call, provider=provider.name, why=why, status=reply.status",
        "if not call.method:\n    return answer_lost(call, provider=provider.name, why=why, status=reply.status",
        "a write with no usable answer failed",
    ),
    _lost("408", "if not final or status == httpx.codes.REQUEST_TIMEOUT:", "if not final:", "a 408 is a refusal"),
    _lost(
        "page",
        "return reading.own or status in _REFUSED_WHATEVER_THE_BODY | provider.surely",
        "return reading.own or bool(status)",
        "a web page in answer to a write is a refusal",
    ),
    _lost(
        "403",
        "_REFUSED_WHATEVER_THE_BODY = frozenset({401, 407, 429})",
        "_REFUSED_WHATEVER_THE_BODY = frozenset({401, 403, 404, 407, 429})",
        "a gateway's page is the API's refusal",
    ),
    _lost(
        "coded",
        'if response.headers.get("Content-Encoding", "").strip().lower() not in CODINGS:\nraise httpx.DecodingError(',
        "if not response.headers:\n    raise httpx.DecodingError(",
        "what is compressed twice is unfolded",
        _TRICKLING,
    ),
    _lost(
        "endless",
        "return isinstance(error, Endless | GivenUp)",
        "return isinstance(error, GivenUp)",
        "an answer without end is asked for again",
        _TRICKLING,
        _OUTAGES,
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
    _hide(
        "six",
        "if len(value) < MIN_SECRET_LENGTH:",
        "if len(value) <= MIN_SECRET_LENGTH:",
        "a secret of six characters is shown",
    ),
    _hide("short", "MIN_SECRET_LENGTH = 6", "MIN_SECRET_LENGTH = 1", "a short value blots out words"),
    _hide(
        "bus",
        'PAYLOAD.validate_python(self._redactor.data(event.model_dump(mode="json")))',
        'PAYLOAD.validate_python(event.model_dump(mode="json"))',
        "events are not redacted",
    ),
    _hide(
        "ends",
        "last = (before + len(data)) * 8 // 6",
        "last = -(-(before + len(data)) * 8 // 6)",
        "the end of a secret's base64 that mixes with what follows is searched for",
    ),
    _hide(
        "token",
        '(re.compile(r"\\b(?:bearer|basic)\\s+\\S+", re.IGNORECASE), "[token]"),',
        "",
        "a bearer token that a provider quotes is shown",
    ),
    _hide("heroku", '(re.compile(r"\\bHRKU-\\S+"), "[token]"),', "", "a Heroku token that a provider quotes is shown"),
    _hide(
        "address",
        '(re.compile(r"\\b[a-z][a-z0-9+.-]*://\\S+", re.IGNORECASE), "[address]"),',
        "",
        "an address with credentials that a provider quotes is shown",
    ),
    _hide("opaque", '(re.compile(r"\\S{41,}"), "[hidden]"),', "", "a long opaque word that a provider quotes is shown"),
    _hide(
        "went-with",
        'text = re.sub("|".join(map(re.escape, values)), "[hidden]", text)',
        "text = text.strip()",
        "what went with a request and is quoted is shown",
    ),
    _hide(
        "longest-first",
        "key=len, reverse=True)\nif values:",
        "key=len)\nif values:",
        "the rest of a longer secret that is quoted is shown",
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
        "seq = None if isinstance(event, StepProgress) else self._seq",
        "seq = self._seq",
        "progress is written into the journal",
    ),
    _bus("viewer", "self._viewers.remove(viewer)\nlost", "lost", "a screen that failed is asked again"),
    _bus(
        "viewer-stops",
        "except Exception as error:  # noqa: BLE001 - closed or defective, a screen may not stop a recovery",
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
