"""The `Backups` port on Heroku's data API (`/client/v11`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import SecretStr

from uscdr.errors import NotFound, ProviderError
from uscdr.models.heroku import Attachment, Download, Schedule, SignedUrl
from uscdr.models.transfers import DatabaseEnd, DatabaseInfo, Transfer, TransferKind
from uscdr.providers.heroku import download, transfers
from uscdr.providers.heroku.client import Ask, HerokuClient
from uscdr.providers.heroku.errors import PROVIDER
from uscdr.providers.http import segment
from uscdr.providers.json_fields import about, items, record
from uscdr.providers.ports.progress import Progress

_NAME = re.compile(r"([abcr])0*(\d+)")


class HerokuBackups:
    """Database transfers on Heroku; every method as `ports.Backups` has it."""

    def __init__(self, client: HerokuClient) -> None:
        self._client = client

    def database_info(self, addon_id: str) -> DatabaseInfo:
        """`GET /client/v11/databases/{id}`."""
        ask = Ask("describe the database", "GET", _database(addon_id), data=True)
        return self._client.ask(ask, lambda body: transfers.database_info(body, addon_id))

    def clock(self) -> datetime:
        """By the `Date` header of the last answer."""
        return datetime.now(UTC) + timedelta(seconds=self._client.ahead or 0.0)

    def transfers(self, addon: Attachment) -> tuple[Transfer, ...]:
        """`GET /client/v11/apps/{app}/transfers`, oldest first; `GET …/databases/{id}` tells whose they are."""
        ask = Ask("list the backups", "GET", _transfers(addon.owner_app_name or addon.app_name), data=True)
        found = self._client.pages(ask, transfers.transfer)
        address = self._address(addon.addon_id) if found else DatabaseEnd()
        marked = (transfer.seen_from(addon, address) for transfer in found)
        return tuple(sorted(marked, key=lambda transfer: (transfer.taken_at, transfer.num)))

    def _address(self, addon_id: str) -> DatabaseEnd:
        """Without an answer the labels of the transfers have to do: a list of backups is worth more than none."""
        try:
            return self.database_info(addon_id).address
        except ProviderError:
            return DatabaseEnd()

    def transfer(self, app: str, ref: str) -> Transfer:
        """`GET /client/v11/apps/{app}/transfers/{ref}?verbose=true`.

        A name must fit what the number stands for: `b003` is not found when number 3 is a restore.
        """
        name = _NAME.fullmatch(ref)
        path = f"{_transfers(app)}/{segment(name[2] if name else ref)}?verbose=true"
        decode = about(name[2] if name else ref, transfers.transfer, lambda one: (one.id, one.num))
        found = self._client.ask(Ask(f"describe transfer {ref}", "GET", path, data=True), decode)
        if name and transfers.LETTERS[found.kind] != name[1] and not found.name.startswith("o"):
            raise NotFound(
                f"{app} has no transfer called {ref}.",
                provider=PROVIDER,
                why=f"Number {found.num} is {found.name}, a {found.kind}.",
                next_action="See `uscdr backup list`.",
            )
        return found

    def capture(self, addon_id: str) -> Transfer:
        """`POST /client/v11/databases/{id}/backups` (write, findable)."""
        ask = Ask("start a backup", "POST", f"{_database(addon_id)}/backups", data=True, writes=True)
        return self._client.ask(ask, lambda body: transfers.accepted(body, TransferKind.MANUAL_BACKUP))

    def restore(self, addon_id: str, source: SecretStr, *, extensions: Sequence[str] = ()) -> Transfer:
        """`POST /client/v11/databases/{id}/restores` (write, findable)."""
        body: dict[str, object] = {"backup_url": source.get_secret_value()}
        if extensions:
            body["extensions"] = list(extensions)
        path = f"{_database(addon_id)}/restores"
        ask = Ask("restore the database", "POST", path, data=True, writes=True, body=body, hide=(source,))
        return self._client.ask(ask, lambda answer: transfers.accepted(answer, TransferKind.RESTORE))

    def cancel(self, app: str, transfer_id: str) -> None:
        """`POST /client/v11/apps/{app}/transfers/{id}/actions/cancel` (write)."""
        path = f"{_transfers(app)}/{segment(transfer_id)}/actions/cancel"
        self._client.ask(Ask("cancel the transfer", "POST", path, data=True, writes=True), record)

    def public_url(self, app: str, num: int) -> SignedUrl:
        """`POST /client/v11/apps/{app}/transfers/{num}/actions/public-url`: only reads."""
        path = f"{_transfers(app)}/{num}/actions/public-url"
        return self._client.ask(Ask("sign a download link", "POST", path, data=True), transfers.signed_url)

    def schedules(self, addon_id: str) -> tuple[Schedule, ...]:
        """`GET /client/v11/databases/{id}/transfer-schedules`."""
        path = f"{_database(addon_id)}/transfer-schedules"
        ask = Ask("list the backup schedules", "GET", path, data=True)
        return self._client.ask(ask, lambda body: items(body, transfers.schedule))

    def download(self, link: SignedUrl, destination: Path, progress: Progress) -> Download:
        """`GET` of the link, without the token; sent once, since a stale link needs a fresh one.

        `ProviderError` for an expired link, a short body or no PostgreSQL dump; `MachineError` when the file
        exists or cannot be written. No partial file is left.
        """
        return download.fetch(link, destination, progress, self._client)


def _database(addon_id: str) -> str:
    return f"/client/v11/databases/{segment(addon_id)}"


def _transfers(app: str) -> str:
    return f"/client/v11/apps/{segment(app)}/transfers"
