"""The `Backups` port on Heroku's data API (`/client/v11`)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import SecretStr

from uscdr.errors import NotFound, ProviderError
from uscdr.models.heroku import Attachment, Download, Schedule, SignedUrl
from uscdr.models.transfers import DatabaseEnd, DatabaseInfo, Transfer, TransferKind, TransferState
from uscdr.providers.heroku import download
from uscdr.providers.heroku.client import PROVIDER, HerokuCall, HerokuClient
from uscdr.providers.http.client import segment
from uscdr.providers.http.json import JsonObject, ShapeError, about, items

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from uscdr.providers.ports.progress import Progress

# Data API bodies to models: transfers, schedules, database facts, download links.


LETTERS: Mapping[TransferKind, str] = {
    TransferKind.MANUAL_BACKUP: "b",
    TransferKind.SCHEDULED_BACKUP: "a",
    TransferKind.RESTORE: "r",
    TransferKind.COPY: "c",
}
"""The first letter of a transfer's name."""
SCHEMES = ("postgres", "postgresql")


def _decode_transfer(body: object) -> Transfer:
    """One transfer as listed or fetched. Needs its id, number and time of creation."""
    source = JsonObject.of(body)
    return _transfer(source, _kind(source), num=source.number("num"), created_at=source.moment("created_at"))


def _accepted(body: object, kind: TransferKind) -> Transfer:
    """A transfer that Heroku accepted just now; its id is enough to find it again.

    The official client reads only the id of a restore, so other fields may be missing. A missing number is 0 and a
    missing name is empty. A missing creation time is the time of the answer.
    """
    source = JsonObject.of(body)
    known = _kind(source) if source.get("to_type") else kind
    created_at = source.optional_moment("created_at") or datetime.now(UTC)
    return _transfer(source, known, num=source.optional_number("num") or 0, created_at=created_at)


def _transfer(source: JsonObject, kind: TransferKind, *, num: int, created_at: datetime) -> Transfer:
    is_backup = kind in (TransferKind.MANUAL_BACKUP, TransferKind.SCHEDULED_BACKUP)
    stored_at = _place(source, "to_url") if is_backup else ""
    taken_from = _place(source, "from_url") if kind is TransferKind.RESTORE else ""
    return Transfer(
        id=source.text("uuid"),
        num=num,
        name=_name(source, kind, num),
        kind=kind,
        state=_state(source),
        created_at=created_at,
        databases=tuple(_end(source, side) for side in ("from", "to") if _is_database(source, side)),
        started_at=source.optional_moment("started_at"),
        finished_at=source.optional_moment("finished_at"),
        warnings=source.optional_number("warnings") or 0,
        processed_bytes=source.optional_number("processed_bytes") or 0,
        source_bytes=source.optional_number("source_bytes") or 0,
        num_keep=source.optional_number("num_keep"),
        expired=bool(source.get("deleted_at") or source.get("purged_at")),
        logs=items(source.get("logs") or [], _log_line),
        stored_at=SecretStr(stored_at) if stored_at else None,
        taken_from=SecretStr(taken_from) if taken_from else None,
    )


def _place(source: JsonObject, name: str) -> str:
    """The storage address; empty when it cannot be read."""
    value = source.optional_text(name)
    try:
        urlsplit(value)
    except ValueError:
        return ""
    return value


def _is_database(source: JsonObject, side: str) -> bool:
    return str(source.get(f"{side}_type")).startswith("pg_")


def _end(source: JsonObject, side: str) -> DatabaseEnd:
    address = _address(source.optional_text(f"{side}_url"))
    return address.model_copy(update={"label": source.optional_text(f"{side}_name")})


def _address(url: str) -> DatabaseEnd:
    """The server and database name of a database URL; empty for any other URL. Never the user or password."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return DatabaseEnd()
    return DatabaseEnd(host=host, name=parts.path.strip("/")) if parts.scheme in SCHEMES else DatabaseEnd()


def _kind(source: JsonObject) -> TransferKind:
    dumps = source.get("from_type") == "pg_dump"
    if dumps and source.get("to_type") == "gof3r":
        return TransferKind.SCHEDULED_BACKUP if source.get("schedule") else TransferKind.MANUAL_BACKUP
    if not dumps and source.get("to_type") == "pg_restore":
        return TransferKind.RESTORE
    # Unknown endpoints count as a copy too: a copy is never offered as a backup or taken for a restore.
    return TransferKind.COPY


def _name(source: JsonObject, kind: TransferKind, num: int) -> str:
    legacy = source.nested("options").get("pgbackups_name")
    if legacy:
        return f"o{legacy}"
    return f"{LETTERS[kind]}{num:03d}" if num else ""


def _state(source: JsonObject) -> TransferState:
    """`finished_at` counts when it is present, even if the time cannot be read."""
    if source.get("finished_at"):
        if source.get("succeeded") is True:
            return TransferState.COMPLETED
        if source.get("canceled_at"):
            return TransferState.CANCELED
        return TransferState.FAILED if source.get("succeeded") is False else TransferState.UNTOLD
    return TransferState.RUNNING if source.get("started_at") else TransferState.PENDING


def _log_line(body: object) -> str:
    return JsonObject.of(body).optional_text("message")


def schedule(body: object) -> Schedule:
    """One item of `GET /client/v11/databases/{id}/transfer-schedules`."""
    source = JsonObject.of(body)
    return Schedule(
        id=source.text("uuid"),
        name=source.text("name"),
        hour=source.number("hour"),
        timezone=source.text("timezone"),
        retain_weeks=source.optional_number("retain_weeks"),
        retain_months=source.optional_number("retain_months"),
    )


def _decode_database_info(body: object, addon_id: str) -> DatabaseInfo:
    """`GET /client/v11/databases/{id}`: the labels and values as Heroku gives them, in its order."""
    source = JsonObject.of(body)
    address = _address(source.optional_text("resource_url"))
    return DatabaseInfo(addon_id=addon_id, facts=items(source.get("info"), _fact), address=address)


def _fact(body: object) -> tuple[str, tuple[str, ...]]:
    source = JsonObject.of(body)
    return source.text("name"), items(source.get("values") or [], _word)


def _word(value: object) -> str:
    if isinstance(value, str | int | float):
        return str(value)
    raise ShapeError("a value in the database description is not text")


def _signed_url(body: object) -> SignedUrl:
    """`POST …/transfers/{num}/actions/public-url`."""
    source = JsonObject.of(body)
    return SignedUrl(url=SecretStr(source.web_address("url")), expires_at=source.optional_moment("expires_at"))


_NAME = re.compile(r"([abcr])0*(\d+)")


class HerokuBackups:
    """Database transfers on Heroku; each method implements `ports.Backups`."""

    def __init__(self, client: HerokuClient) -> None:
        self._client = client

    def database_info(self, addon_id: str) -> DatabaseInfo:
        """`GET /client/v11/databases/{id}`."""
        ask = HerokuCall("describe the database", "GET", _database(addon_id), data=True)
        return self._client.ask(ask, lambda body: _decode_database_info(body, addon_id))

    def clock(self) -> datetime:
        """By the `Date` header of the last answer."""
        return datetime.now(UTC) + timedelta(seconds=self._client.ahead or 0.0)

    def transfers(self, addon: Attachment) -> tuple[Transfer, ...]:
        """`GET /client/v11/apps/{app}/transfers`, oldest first; `GET …/databases/{id}` names each one's database."""
        ask = HerokuCall("list the backups", "GET", _transfers(addon.owner_app_name or addon.app_name), data=True)
        found = self._client.pages(ask, _decode_transfer)
        address = self._address(addon.addon_id) if found else DatabaseEnd()
        marked = (transfer.seen_from(addon, address) for transfer in found)
        return tuple(sorted(marked, key=lambda transfer: (transfer.taken_at, transfer.num)))

    def _address(self, addon_id: str) -> DatabaseEnd:
        """If this call fails, the transfers' labels name the database: a list without addresses is better than none."""
        try:
            return self.database_info(addon_id).address
        except ProviderError:
            return DatabaseEnd()

    def transfer(self, app: str, ref: str) -> Transfer:
        """`GET /client/v11/apps/{app}/transfers/{ref}?verbose=true`.

        A name must match the kind of transfer: `b003` is not found when number 3 is a restore.
        """
        name = _NAME.fullmatch(ref)
        path = f"{_transfers(app)}/{segment(name[2] if name else ref)}?verbose=true"
        decode = about(name[2] if name else ref, _decode_transfer, lambda one: (one.id, one.num))
        found = self._client.ask(HerokuCall(f"describe transfer {ref}", "GET", path, data=True), decode)
        if name and LETTERS[found.kind] != name[1] and not found.name.startswith("o"):
            raise NotFound(
                f"{app} has no transfer called {ref}.",
                provider=PROVIDER,
                why=f"Number {found.num} is {found.name}, a {found.kind}.",
                next_action="See `uscdr backup list`.",
            )
        return found

    def capture(self, addon_id: str) -> Transfer:
        """`POST /client/v11/databases/{id}/backups` (write, findable)."""
        ask = HerokuCall("start a backup", "POST", f"{_database(addon_id)}/backups", data=True, writes=True)
        return self._client.ask(ask, lambda body: _accepted(body, TransferKind.MANUAL_BACKUP))

    def restore(self, addon_id: str, source: SecretStr, *, extensions: Sequence[str] = ()) -> Transfer:
        """`POST /client/v11/databases/{id}/restores` (write, findable)."""
        body: dict[str, object] = {"backup_url": source.get_secret_value()}
        if extensions:
            body["extensions"] = list(extensions)
        path = f"{_database(addon_id)}/restores"
        ask = HerokuCall("restore the database", "POST", path, data=True, writes=True, body=body, hide=(source,))
        return self._client.ask(ask, lambda answer: _accepted(answer, TransferKind.RESTORE))

    def cancel(self, app: str, transfer_id: str) -> None:
        """`POST /client/v11/apps/{app}/transfers/{id}/actions/cancel` (write)."""
        path = f"{_transfers(app)}/{segment(transfer_id)}/actions/cancel"
        self._client.ask(HerokuCall("cancel the transfer", "POST", path, data=True, writes=True), JsonObject.of)

    def public_url(self, app: str, num: int) -> SignedUrl:
        """`POST /client/v11/apps/{app}/transfers/{num}/actions/public-url`: only reads."""
        return self._client.ask(_sign(app, num), _signed_url)

    def schedules(self, addon_id: str) -> tuple[Schedule, ...]:
        """`GET /client/v11/databases/{id}/transfer-schedules`."""
        path = f"{_database(addon_id)}/transfer-schedules"
        ask = HerokuCall("list the backup schedules", "GET", path, data=True)
        return self._client.ask(ask, lambda body: items(body, schedule))

    def download(self, app: str, num: int, destination: Path, progress: Progress) -> Download:
        """`GET` of a signed link, without the token; tried again with a new link, and taken up where it was cut.

        Raises `ProviderError` for a refused link, a short body, or a body that is not a PostgreSQL dump. Raises
        `MachineError` when the file exists or cannot be written. No partial file is left.
        """
        # One request for the link: the loop of the download repeats it.
        return download.fetch(
            lambda: self._client.once(_sign(app, num), _signed_url)[0], destination, progress, self._client
        )


def _sign(app: str, num: int) -> HerokuCall:
    return HerokuCall("sign a download link", "POST", f"{_transfers(app)}/{num}/actions/public-url", data=True)


def _database(addon_id: str) -> str:
    return f"/client/v11/databases/{segment(addon_id)}"


def _transfers(app: str) -> str:
    return f"/client/v11/apps/{segment(app)}/transfers"
