"""Wait for a transfer, and find one after Heroku's answer was lost."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from uscdr.engine.reconcile import Search
from uscdr.engine.step import FoundWrite, Intent, Reporter
from uscdr.engine.wait import WaitLimit, until
from uscdr.errors import AnswerLost, EffectFailed, NotFound, OutcomeUnknown, ProviderError, WriteRefused
from uscdr.models.base import CLOCKS, Fact, elapsed
from uscdr.models.transfers import Transfer, TransferKind, TransferState, Whose

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from uscdr.models.heroku import Attachment
    from uscdr.scenarios.adapters import Adapters
    from uscdr.scenarios.results.db import Restored

LOOK_FIRST = "Check at Heroku before you repeat it: heroku pg:backups"
LIMIT = 6 * 3600.0
LAST_LINES = 5


@dataclass(frozen=True)
class Mark:
    """Identifies a transfer of this run: it has none of these ids, a higher number, and is newer."""

    newest: int
    known: frozenset[str]
    since: datetime | None
    """By Heroku's clock; None in a journal of an earlier version."""

    @classmethod
    def of(cls, intent: Intent) -> Mark:
        """Reads the mark from the intent's baseline. Raises BadInput if the journal has another type there."""
        known = frozenset(intent.texts("known_transfers"))
        return cls(intent.number("newest_transfer"), known, _moment(intent.text("since")))

    def later(self, one: Transfer) -> bool:
        """Whether the transfer was created after the mark. A delayed list may have omitted older ones."""
        aged = self.since is not None and elapsed(one.created_at, self.since) > CLOCKS
        return one.num > self.newest and one.id not in self.known and not aged


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None


class TransfersSeen(Fact):
    """The transfers that exist right before a new one is requested."""

    owner_app: str
    newest_transfer: int = 0
    known_transfers: tuple[str, ...] = ()
    since: str = ""
    """Heroku's time."""

    @classmethod
    def listed(cls, deps: Adapters, transfers: tuple[Transfer, ...]) -> dict[str, Any]:
        """The fields that a list of transfers, fetched just now, gives: all but `owner_app`."""
        newest = max((transfer.num for transfer in transfers), default=0)
        known = tuple(transfer.id for transfer in transfers)
        return {"newest_transfer": newest, "known_transfers": known, "since": deps.backups.clock().isoformat()}

    def baseline(self) -> dict[str, Any]:
        """What the journal keeps, for `Mark.of`."""
        known = {"newest_transfer": self.newest_transfer, "owner_app": self.owner_app}
        return known | {"known_transfers": list(self.known_transfers), "since": self.since}

    def require_new(self, accepted: Transfer) -> None:
        """Raise AnswerLost when the platform's answer names a transfer that existed before the request."""
        stale = accepted.num and accepted.num <= self.newest_transfer
        if stale or accepted.id in self.known_transfers:
            raise AnswerLost(
                f"Heroku answered with {accepted.name or accepted.id}, which already existed.",
                provider="heroku",
                next_action=LOOK_FIRST,
            )


def follow(deps: Adapters, app: str, accepted: Transfer, tell: Reporter) -> Transfer:
    """Wait until the transfer has ended, and require success.

    Raises EffectFailed with the platform's last log lines, or OutcomeUnknown.
    """
    what = f"{accepted.kind.value} {accepted.name}".rstrip()
    ended = _end_of(deps, app, accepted, tell)
    if ended.state is not TransferState.COMPLETED:
        raise EffectFailed(
            f"The {what} {'was canceled' if ended.state is TransferState.CANCELED else 'failed'} on Heroku.",
            provider="heroku",
            why=_reason(ended),
            next_action=f"See: heroku pg:backups:info {ended.name} --app {app}. Then: uscdr runs resume",
        )
    return ended


def _end_of(deps: Adapters, app: str, accepted: Transfer, tell: Reporter) -> Transfer:
    what = f"{accepted.kind.value} {accepted.name}".rstrip()
    patience = WaitLimit(f"the {what}", LIMIT, f"heroku pg:backups:info {accepted.name or accepted.id} --app {app}")

    def look() -> Transfer:
        transfer = _the_same(deps, app, accepted)
        total = transfer.source_bytes or None
        tell.progress(f"{what}: {transfer.state.value}", transfer.processed_bytes, total, "B")
        return transfer

    return until(look, lambda transfer: transfer.ended, patience, deps.stop)


def _the_same(deps: Adapters, app: str, accepted: Transfer) -> Transfer:
    """The transfer as it is now. An answer that Heroku may still correct is an error that the caller retries."""
    try:
        transfer = deps.backups.transfer(app, accepted.id)
    except NotFound as error:
        raise _not_told("Heroku does not list the transfer that it accepted.", error.message) from error
    if transfer.id != accepted.id or transfer.kind is not accepted.kind:
        raise _not_told(f"Heroku answered for {transfer.name} instead of the requested transfer.")
    if transfer.state is TransferState.UNTOLD:
        raise _not_told(f"{transfer.name} has ended, but Heroku does not report its result.")
    return transfer


def _not_told(message: str, why: str = "") -> ProviderError:
    return ProviderError(message, provider="heroku", why=why, retryable=True)


def said_no(error: ProviderError) -> bool:
    """Whether Heroku refused or failed for good: a repeated call would end in the same way."""
    return not (error.retryable or isinstance(error, AnswerLost | WriteRefused))


@contextmanager
def otherwise(advice: str) -> Iterator[None]:
    """Adds `advice` to a final failure, so that the error names another way."""
    try:
        yield
    except ProviderError as error:
        if not said_no(error):
            raise
        error.next_action = ". ".join(part.rstrip(".") for part in (error.next_action, advice) if part)
        raise


def _reason(transfer: Transfer) -> str:
    """The last log lines, without the values that a server quotes: they may be patients' data."""
    return " | ".join(line.split('"')[0].split("DETAIL")[0].strip() for line in transfer.logs[-LAST_LINES:])


def find(
    deps: Adapters, addon: Attachment, kinds: tuple[TransferKind, ...], intent: Intent, tell: Reporter,
    source: Transfer | None = None,
) -> FoundWrite:  # fmt: skip
    """Find the transfer that the intent started: by its accepted id, else a newer one of that kind and database.

    `source` is the backup that a restore reads.
    """
    mark = Mark.of(intent)
    looked_at = f"GET /client/v11/apps/{addon.owner_app_name}/transfers"
    if intent.accepted is not None and _is_ours(deps, addon, kinds, intent.accepted, mark):
        return FoundWrite(looked_at, f"it was accepted as {intent.accepted}", intent.accepted)
    before = f"the accepted {intent.accepted} is no longer listed, and " if intent.accepted else ""
    search = Search(
        looked_at,
        lambda: _newer(deps.backups.transfers(addon), kinds, mark, source),
        lambda one: f"{one.kind.value} {one.name} began after the intent",
        f"{before}no {kinds[0].value} with a number above {mark.newest}",
    )
    return search.run(replace(intent, accepted=None), deps.stop, tell)


def _is_ours(deps: Adapters, addon: Attachment, kinds: tuple[TransferKind, ...], accepted: str, mark: Mark) -> bool:
    """Whether the id belongs to this run: the answer may have named another transfer."""
    try:
        one = deps.backups.transfer(addon.owner_app_name, accepted)
    except NotFound:
        return False
    return one.kind in kinds and one.id == accepted and mark.later(one)


def _newer(
    transfers: Iterable[Transfer], kinds: tuple[TransferKind, ...], mark: Mark, source: Transfer | None
) -> list[Transfer]:
    """Raises OutcomeUnknown for a transfer that may belong to another database."""
    newer = [t for t in transfers if t.kind in kinds and t.whose is not Whose.OTHER and mark.later(t)]
    for one in newer:
        if one.whose is Whose.UNKNOWN:
            raise OutcomeUnknown(
                f"{one.name} may be the requested {one.kind.value}, or belong to another database.",
                why=f"It is {one.unfit}.",
                next_action=f"See: heroku pg:backups:info {one.name}. If it is this one, wait until it has ended.",
            )
    return [one for one in newer if source is None or one.reads(source) is not False]


def restores_since(deps: Adapters, restored: Restored, tell: Reporter) -> tuple[str, ...]:
    """Names of further restores of this database since `restored`, each after its end.

    A request that reached the platform twice starts two. Raises OutcomeUnknown when one does not end.
    """
    if restored.after is None:
        return ()
    addon = deps.attachment()
    since = [t for t in deps.backups.transfers(addon) if t.kind is TransferKind.RESTORE and t.num > restored.after]
    others = [one for one in since if one.id != restored.id and one.whose is not Whose.OTHER]
    for one in others:
        if not one.ended:
            _end_of(deps, addon.owner_app_name, one, tell)
    return tuple(one.name for one in others)
