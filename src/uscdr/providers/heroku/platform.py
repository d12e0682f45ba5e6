"""The `Platform` port on Heroku's Platform API (v3)."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

import httpx
from pydantic import SecretStr

from uscdr.errors import BadInput, Conflict, NotFound, ProviderError
from uscdr.models.data_settings import POSTGRES, service_of
from uscdr.models.heroku import Account, AddOn, App, Attachment, Dyno, OneOffResult, ProcessType, Release
from uscdr.providers.heroku import decode, one_off
from uscdr.providers.heroku.client import PROVIDER, HerokuCall, HerokuClient
from uscdr.providers.http.client import is_private, segment
from uscdr.providers.http.exchange import NetworkFailure
from uscdr.providers.http.json import JsonObject, ShapeError, items
from uscdr.providers.http.transport import open_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping


# The last lines of an app's log: open a log session, then read its event stream to the end.


STREAM_SECONDS = 30.0
"""Seconds. A stream without `tail` ends by itself; this limit is for one that does not."""


def _last_lines(client: HerokuClient, app: str, lines: int) -> tuple[str, ...]:
    """The last `lines` lines, oldest first. A failed stream is retried with a new session."""
    return client.patience.call(lambda: _session(client, app, lines), writes=False)


def _session(client: HerokuClient, app: str, lines: int) -> tuple[str, ...]:
    body = {"lines": lines, "tail": False}
    ask = HerokuCall("open the log", "POST", f"/apps/{segment(app)}/log-sessions", body=body, sdk=True)
    url, _ = client.once(ask, lambda answer: JsonObject.of(answer).web_address("logplex_url"))
    if not is_private(url):
        raise _failed("the stream's address is not https", retryable=False)
    with open_client(url, provider=PROVIDER, verify=client.verify, read_only=True) as stream:
        return tuple(deque(_events(stream, url), maxlen=lines))


def _events(client: httpx.Client, url: str) -> Iterator[str]:
    try:
        with client.stream("GET", url, headers={"Accept": "text/event-stream"}) as response:
            kind = response.headers.get("Content-Type", "")
            if response.status_code != httpx.codes.OK or not kind.startswith("text/event-stream"):
                raise _failed(f"the stream answered {response.status_code}", retryable=True)
            yield from _event_data(_until(response, time.monotonic() + STREAM_SECONDS))
    except httpx.HTTPError as error:
        raise _failed(NetworkFailure(error).words, retryable=True) from None


def _until(response: httpx.Response, end: float) -> Iterator[bytes]:
    for chunk in response.iter_bytes():
        yield chunk
        if time.monotonic() > end:
            return


def _event_data(chunks: Iterable[bytes]) -> Iterator[str]:
    """The data of each server-sent event; the last one counts even without its blank line."""
    data: list[str] = []
    for line in _lines(chunks):
        if line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []
    if data:
        yield "\n".join(data)


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Splits at LF or CR LF only: a log line may contain any other separator."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.removesuffix(b"\r").decode("utf-8", "replace") for line in whole)
    if rest:
        yield rest.decode("utf-8", "replace")


def _failed(why: str, *, retryable: bool) -> ProviderError:
    return ProviderError(
        f"{PROVIDER} did not return the log.",
        provider=PROVIDER,
        why=f"Log stream: {why}.",
        next_action="Run the command again, or read it with `heroku logs`.",
        retryable=retryable,
    )


ALL = "id ..; max=1000"
INCLUSION = {"Accept-Inclusion": "addon:plan,config_vars"}
EXPANSION = {"Accept-Expansion": "addon_service,plan"}
NEWEST_BUILDS = "started_at ..; max=100, order=desc"


class HerokuPlatform:
    """Applications, dynos and releases on Heroku; each method implements `ports.Platform`."""

    def __init__(self, client: HerokuClient) -> None:
        self._client = client

    def account(self) -> Account:
        """`GET /account`."""
        return self._client.ask(HerokuCall("identify the account of the token", "GET", "/account"), _account)

    def app(self, app: str) -> App:
        """`GET /apps/{app}`."""
        return self._client.ask(HerokuCall("describe the app", "GET", f"/apps/{segment(app)}"), decode.about_app(app))

    def config_vars(self, app: str) -> Mapping[str, SecretStr]:
        """`GET /apps/{app}/config-vars`."""
        ask = HerokuCall("list the config variables", "GET", f"/apps/{segment(app)}/config-vars")
        return self._client.ask(ask, _config_vars)

    def set_maintenance(self, app: str, *, enabled: bool) -> App:
        """`PATCH /apps/{app}` (write)."""
        what = "turn maintenance mode on" if enabled else "turn maintenance mode off"
        ask = HerokuCall(what, "PATCH", f"/apps/{segment(app)}", writes=True, body={"maintenance": enabled})
        return self._client.ask(ask, decode.about_app(app))

    def formation(self, app: str) -> tuple[ProcessType, ...]:
        """`GET /apps/{app}/formation`."""
        ask = HerokuCall("list the process types", "GET", f"/apps/{segment(app)}/formation", range_=ALL)
        return self._client.pages(ask, _process_type)

    def scale(self, app: str, quantities: Mapping[str, int]) -> tuple[ProcessType, ...]:
        """`PATCH /apps/{app}/formation` (write), absolute quantities; `BadInput` for none or a negative one."""
        updates = [{"type": kind, "quantity": _quantity(kind, number)} for kind, number in quantities.items()]
        if not updates:
            raise BadInput("No process type was given to scale.")
        path = f"/apps/{segment(app)}/formation"
        ask = HerokuCall("scale the dynos", "PATCH", path, writes=True, body={"updates": updates})
        return self._client.ask(ask, lambda body: items(body, _process_type))

    def resize(self, app: str, sizes: Mapping[str, str]) -> tuple[ProcessType, ...]:
        """`PATCH /apps/{app}/formation` (write), sizes alone; `BadInput` for none."""
        if not sizes:
            raise BadInput("No process type was given to resize.")
        body = {"updates": [{"type": kind, "size": size} for kind, size in sizes.items()]}
        ask = HerokuCall("change the dyno sizes", "PATCH", f"/apps/{segment(app)}/formation", writes=True, body=body)
        return self._client.ask(ask, lambda found: items(found, _process_type))

    def dynos(self, app: str) -> tuple[Dyno, ...]:
        """`GET /apps/{app}/dynos`."""
        return one_off.running(self._client, app)

    def stop_dyno(self, app: str, name: str) -> None:
        """`POST /apps/{app}/dynos/{name}/actions/stop` (write)."""
        one_off.stop(self._client, app, name)

    def run_one_off(
        self,
        app: str,
        command: str,
        *,
        time_limit: float,
        on_started: Callable[[str], None],
        on_output: Callable[[str], None] | None = None,
    ) -> OneOffResult:
        """`POST /apps/{app}/dynos` with `attach`, then its rendezvous (write, once).

        After `time_limit` seconds it stops the dyno and raises `ProviderError`. Raises `AnswerLost` when it could not
        attach to the dyno, or could not stop it.
        """
        job = one_off.OneOffJob(app, command, time_limit, on_started, on_output or (lambda _: None))
        return job.run(self._client)

    def releases(self, app: str, *, limit: int = 15) -> tuple[Release, ...]:
        """`GET /apps/{app}/releases`, one page, newest first."""
        newest = f"version ..; max={limit}, order=desc"
        ask = HerokuCall("list the releases", "GET", f"/apps/{segment(app)}/releases", sdk=True, range_=newest)
        found = self._client.page(ask, decode.release)
        return tuple(sorted(found, key=lambda release: -release.version)[:limit])

    def builds_pending(self, app: str) -> int:
        """`GET /apps/{app}/builds`: how many of the newest hundred are `pending`."""
        ask = HerokuCall("list the builds", "GET", f"/apps/{segment(app)}/builds", range_=NEWEST_BUILDS)
        return self._client.page(ask, _build_status).count("pending")

    def addons(self, app: str) -> tuple[AddOn, ...]:
        """`GET /apps/{app}/addons`, which also lists other apps' add-ons that are attached to the app."""
        path = f"/apps/{segment(app)}/addons"
        ask = HerokuCall("list the add-ons", "GET", path, sdk=True, headers=EXPANSION, range_=ALL)
        return self._client.pages(ask, decode.addon)

    def attachments(self, app: str) -> tuple[Attachment, ...]:
        """`GET /apps/{app}/addon-attachments`."""
        path = f"/apps/{segment(app)}/addon-attachments"
        ask = HerokuCall("list the attached add-ons", "GET", path, sdk=True, headers=INCLUSION, range_=ALL)
        return self._client.pages(ask, decode.attachment)

    def attachments_of(self, addon_id: str) -> tuple[Attachment, ...]:
        """`GET /addons/{id}/addon-attachments`, which lists only what this account can see."""
        path = f"/addons/{segment(addon_id)}/addon-attachments"
        ask = HerokuCall("list the apps that use the add-on", "GET", path, sdk=True, headers=INCLUSION, range_=ALL)
        return self._client.pages(ask, decode.attachment)

    def database(self, app: str, name: str = "DATABASE_URL") -> Attachment:
        """`POST /actions/addon-attachments/resolve`; when that finds nothing, the app's own list.

        `NotFound` when no Postgres attachment has that name, `Conflict` when several add-ons do.
        """
        try:
            found = self._resolve(app, name)
        except NotFound:
            found = tuple(a for a in self.attachments(app) if _answers_to(a, name))
        return _only(tuple(a for a in found if _is_postgres(a)), app, name)

    def log_lines(self, app: str, *, lines: int = 100) -> tuple[str, ...]:
        """`POST /apps/{app}/log-sessions`, then the stream it names."""
        return _last_lines(self._client, app, lines)

    def _resolve(self, app: str, name: str) -> tuple[Attachment, ...]:
        body = {"addon_attachment": name, "app": app}
        path = "/actions/addon-attachments/resolve"
        ask = HerokuCall("find the database", "POST", path, body=body, sdk=True, headers=INCLUSION)
        return self._client.page(ask, decode.attachment)


def _answers_to(attachment: Attachment, name: str) -> bool:
    """Whether `name` is the attachment's own name or one of its config variables."""
    return name in (attachment.name, f"{attachment.name}_URL", *attachment.config_vars)


def _is_postgres(attachment: Attachment) -> bool:
    """An unknown plan counts as Postgres: the caller gave the name, and a restore names the add-on again."""
    return service_of(attachment.plan) in ("", POSTGRES)


def _only(found: tuple[Attachment, ...], app: str, name: str) -> Attachment:
    if not found:
        raise NotFound(
            f"{app} has no Postgres database called {name}.",
            provider=PROVIDER,
            next_action=f"If somebody deleted it: uscdr recover infra --in-place-if-possible --dry-run. Otherwise list "
            f"the databases (heroku addons --app {app}), and correct targets.…heroku.database in scenarios.yaml.",
        )
    if len({attachment.addon_id for attachment in found}) > 1:
        names = ", ".join(sorted(attachment.addon_name for attachment in found))
        raise Conflict(
            f"{name} of {app} matches several databases: {names}.",
            provider=PROVIDER,
            next_action="Give the attachment name of one of them.",
        )
    return found[0]


def _quantity(kind: str, number: int) -> int:
    if isinstance(number, bool) or number < 0:
        raise BadInput(f"{number!r} is not a valid number of {kind} dynos.", next_action="Give 0 or more.")
    return number


def _account(body: object) -> Account:
    """`GET /account`."""
    return Account(email=JsonObject.of(body).text("email"))


def _config_vars(body: object) -> Mapping[str, SecretStr]:
    """`GET /apps/{app}/config-vars`: a flat map of text; an unset variable (null) is left out."""
    source = JsonObject.of(body)
    return {name: SecretStr(_value(source, name)) for name in source if source[name] is not None}


def _value(source: JsonObject, name: str) -> str:
    value = source[name]
    if not isinstance(value, str):
        raise ShapeError("a config variable is not text")
    return value


def _process_type(body: object) -> ProcessType:
    """One item of `/apps/{app}/formation`; newer API formats have the size in `dyno_size`."""
    source = JsonObject.of(body)
    return ProcessType(
        type=source.text("type"),
        quantity=source.number("quantity"),
        size=source.optional_text("size") or source.nested("dyno_size").optional_text("name"),
        command=source.optional_text("command"),
    )


def _build_status(body: object) -> str:
    """The status of one item of `GET /apps/{app}/builds`: `pending`, `succeeded` or `failed`."""
    return JsonObject.of(body).text("status")
