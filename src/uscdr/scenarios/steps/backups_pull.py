"""The new backup, copied off the platform. By the platform's id: a copy that is there is not made again."""

from __future__ import annotations

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.errors import BadInput, CheckFailed
from uscdr.models.base import Fact
from uscdr.models.events import Call
from uscdr.scenarios.backups.copying import copies_of, copy, copy_for
from uscdr.scenarios.backups.inventory import take, vault_of
from uscdr.scenarios.results_backups import CopyMade, TrialCapture
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.words import DOWNLOADS
from uscdr.vault.backups.manifest import CopyCard
from uscdr.vault.backups.pulling import Keyring
from uscdr.words import size

HOW_TO_NAME = "--recipient age1…, $USCDR_KIT_RECIPIENTS, or `vault: recipients` in scenarios.yaml"
NOBODY = f"nobody could open a copy: neither a recipient nor a passphrase is named ({HOW_TO_NAME})"


class PullSeen(Fact):
    """The backup that is to be copied, and its copy if there is one."""

    transfer_id: str
    name: str
    place: str
    copy_made: CopyMade | None
    reason: str = ""
    """Why it cannot be copied."""


class PullTrial(DepsStep[PullSeen, CopyMade]):
    """Skipped, with the reason, when nobody is named who could open it."""

    name = "backups.pull"
    title = "Copy it off the platform"
    effect = Effect.IDEMPOTENT
    sends = DOWNLOADS
    manual = (
        "heroku pg:backups:download $BACKUP --app {app} --output backup.dump",
        "age -r $RECIPIENT -o $VAULT/backup.dump.age backup.dump && rm backup.dump && sha256sum $VAULT/backup.dump.age",
    )
    gives = CopyMade
    needs = (TrialCapture,)
    waits = "the new backup is copied off the platform, encrypted on the way"

    @override
    def foresee(self, waiting_for: str) -> Action:
        vault = vault_of(self._deps)
        if vault.keyring() is None:
            return Action("skip", f"the new backup is not copied: {NOBODY}")
        place = vault.store().place
        return Action("later", f"{waiting_for}, to {place}", self._calls(place))

    @override
    def probe(self, view: View, tell: Tell) -> PullSeen:
        made, vault = view.need(TrialCapture), vault_of(self._deps)
        store, keys = vault.store(), vault.keyring()
        there = copy_for(copies_of(self._deps, made.id), keys) if keys is not None else None
        return PullSeen(
            transfer_id=made.id, name=made.name, place=store.place, reason="" if keys is not None else NOBODY,
            copy_made=_made(there, store.place, fetched=False) if there is not None else None,
        )  # fmt: skip

    @override
    def plan(self, seen: PullSeen, view: View) -> Action:
        if seen.reason:
            return Action("skip", f"{seen.name} is not copied: {seen.reason}")
        if seen.copy_made is not None:
            return Action("noop", f"{seen.name} is copied already: {seen.copy_made.copy_id}")
        words = f"{seen.name} is copied to {seen.place}, encrypted on the way"
        return Action("change", words, self._calls(seen.place), {"BACKUP": seen.name})

    @override
    def apply(self, seen: PullSeen, view: View, tell: Tell) -> CopyMade:
        known, keys = take(self._deps), self._keys()
        transfer = next((one for one in known.transfers if one.id == seen.transfer_id), None)
        if transfer is None:
            raise CheckFailed(
                f"{seen.name} was captured, and the platform does not list it any more.",
                next_action="See: uscdr backup list. Then begin anew: uscdr recover backups --new",
            )
        card, fetched = copy(self._deps, known.attachment, transfer, keys, tell)
        return _made(card, seen.place, fetched=fetched)

    def _keys(self) -> Keyring:
        keys = vault_of(self._deps).keyring()
        if keys is None:
            raise BadInput("Nobody is named any more who could open a copy.", next_action=f"Name one: {HOW_TO_NAME}")
        return keys

    @override
    def unchanged(self, seen: PullSeen, view: View) -> CopyMade:
        if seen.copy_made is None:
            raise CheckFailed(f"There is no copy of {seen.name}.", next_action="uscdr runs resume")
        return seen.copy_made

    @override
    def confirm_effect(self, result: CopyMade, view: View, tell: Tell) -> str:
        if result.copy_id not in {one.id for one in copies_of(self._deps, view.need(TrialCapture).id)}:
            raise CheckFailed(
                f"The copy {result.copy_id} was made, and is not found whole in {result.place}.",
                next_action="Look at that place (a full or failing disk?); then: uscdr runs resume",
            )
        return f"{result.backup} is copied: {result.copy_id}, {size(result.bytes)}"

    def _calls(self, place: str) -> tuple[Call, ...]:
        return (*self.calls(), Call(provider="vault", request=f"create backups/… in {place}", writes=True))


def _made(card: CopyCard, place: str, *, fetched: bool) -> CopyMade:
    return CopyMade(
        copy_id=card.id, backup=card.origin.name, place=place, bytes=card.dump.plain_size,
        sha256=card.dump.plain_sha256, fetched=fetched,
    )  # fmt: skip
