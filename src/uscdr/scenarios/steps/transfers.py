"""Waiting for a transfer, and finding one whose acceptance was lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from uscdr.engine.settle import Search, look_for
from uscdr.engine.step import Finding, Intent, Tell
from uscdr.engine.wait import Patience, until
from uscdr.errors import AnswerLost, EffectFailed, NotFound, OutcomeUnknown, ProviderError, WriteRefused
from uscdr.models.heroku import Attachment, Transfer, TransferKind, TransferState, Whose
from uscdr.scenarios.deps import Deps

LIMIT = 6 * 3600.0
LAST_LINES = 5


def newest_number(transfers: tuple[Transfer, ...]) -> int:
    """The highest transfer number so far; whatever this run starts has a higher one."""
    return max((transfer.num for transfer in transfers), default=0)


def follow(deps: Deps, app: str, accepted: Transfer, tell: Tell) -> Transfer:
    """Wait until the transfer ended, and require success.

    Raises EffectFailed with the platform's last log lines, or OutcomeUnknown.
    """
    what = f"{accepted.kind.value} {accepted.name}"
    patience = Patience(what, LIMIT, f"heroku pg:backups:info {accepted.name} --app {app}")

    def look() -> Transfer:
        transfer = deps.backups.transfer(app, accepted.id)
        total = transfer.source_bytes or None
        tell.progress(f"{what}: {transfer.state.value}", transfer.processed_bytes, total, "B")
        return transfer

    ended = until(look, lambda transfer: transfer.ended, patience, deps.stop)
    if ended.state is not TransferState.COMPLETED:
        raise EffectFailed(
            f"The {what} {'was canceled' if ended.state is TransferState.CANCELED else 'failed'} at the platform.",
            provider="heroku",
            why=_reason(ended),
            next_action=f"See: heroku pg:backups:info {ended.name} --app {app}; then: uscdr runs resume",
        )
    return ended


def said_no(error: ProviderError) -> bool:
    """Whether the platform refused or failed for good: the same call would end alike, and nothing is in doubt."""
    return not (error.retryable or isinstance(error, AnswerLost | WriteRefused))


@contextmanager
def otherwise(advice: str) -> Iterator[None]:
    """What fails alike each time is no dead end: a refusal or a failure names what leads on without it."""
    try:
        yield
    except ProviderError as error:
        if not said_no(error):
            raise
        error.next_action = ". ".join(part.rstrip(".") for part in (error.next_action, advice) if part)
        raise


def _reason(transfer: Transfer) -> str:
    """Its last log lines without what a server quotes, which may be a patient's value."""
    return " | ".join(line.split('"')[0].split("DETAIL")[0].strip() for line in transfer.logs[-LAST_LINES:])


def find(deps: Deps, addon: Attachment, kinds: tuple[TransferKind, ...], intent: Intent, tell: Tell) -> Finding:
    """Look for the transfer that the intent started: the accepted id, else a newer one of that kind and database."""
    after = intent.number("newest_transfer")
    search = Search(
        f"GET /client/v11/apps/{addon.owner_app_name}/transfers",
        lambda: _newer(deps.backups.transfers(addon), kinds, after),
        lambda one: f"{one.kind.value} {one.name} began after the intent",
        f"no {kinds[0].value} with a number above {after}",
    )
    return look_for(search, intent, deps.stop, tell)


def _newer(transfers: Iterable[Transfer], kinds: tuple[TransferKind, ...], after: int) -> list[Transfer]:
    """Raises OutcomeUnknown for one of which the platform does not tell whether it is of this database."""
    newer = [t for t in transfers if t.num > after and t.kind in kinds and t.whose is not Whose.OTHER]
    for one in newer:
        if one.whose is Whose.UNKNOWN:
            raise OutcomeUnknown(
                f"{one.name} may be the {one.kind.value} that was asked for, or one of another database.",
                why=f"It is {one.unfit}.",
                next_action=f"See: heroku pg:backups:info {one.name}. If it is this one, wait for its end.",
            )
    return newer


def adopt(deps: Deps, app: str, transfer_id: str, tell: Tell) -> Transfer:
    """Go on waiting for a transfer that was found. Raises EffectFailed when the platform lost it."""
    try:
        transfer = deps.backups.transfer(app, transfer_id)
    except NotFound as error:
        raise EffectFailed(
            "The transfer that was accepted is not listed any more.", provider="heroku", why=error.message,
            next_action="uscdr runs resume starts a new one.",
        ) from error  # fmt: skip
    return follow(deps, app, transfer, tell)
