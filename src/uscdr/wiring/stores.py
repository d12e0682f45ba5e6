"""The place of backups' copies: its store, who can open them, and what a pull and a proof work with."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uscdr.backups.catalog import Scope
from uscdr.backups.copy import IncomingDump, Keyring
from uscdr.backups.decrypt import Keys, read_passphrase
from uscdr.backups.loss import DatabaseState, Earlier
from uscdr.backups.proofs import ProofDocument, Proofs
from uscdr.backups.proving import Decoded, ProofResult, ProofSubject, Questions
from uscdr.checks.baseline import Baseline
from uscdr.errors import BadInput, UscdrError
from uscdr.files import exposure, private_directory
from uscdr.kit.find import Named, Of, find
from uscdr.kit.reader import KitReader
from uscdr.models.postgres_names import TableName
from uscdr.providers.heroku import download as dump_stream
from uscdr.providers.http.client import trust
from uscdr.providers.postgres import archive
from uscdr.providers.source.git import published
from uscdr.scenarios.adapters import CopiesAccess
from uscdr.settings import operator
from uscdr.store import location
from uscdr.store.encryption import Identity, Recipient
from uscdr.store.lease import WriterQueue
from uscdr.store.store import ReadOnlyStore, Store

if TYPE_CHECKING:
    import threading
    from contextlib import AbstractContextManager

    from uscdr.backups.catalog import Scope
    from uscdr.models.heroku import Download, SignedUrl
    from uscdr.pgserver.cluster import Tool
    from uscdr.providers.ports.database import Scratch
    from uscdr.providers.ports.platform import Platform
    from uscdr.scenarios.config import Config, VaultSettings
    from uscdr.scenarios.config_targets import HerokuTarget
    from uscdr.scenarios.prover import DumpSource, Keep
    from uscdr.wiring.context import RunContext
    from uscdr.wiring.target import Target

# Where escape kits are, and the one that a run works from.


IDENTITY = "USCDR_AGE_IDENTITY"


@dataclass(frozen=True)
class KitLocations:
    """Where kits are: as named, as configured (`kit.to`, asked for only then), or in the state directory."""

    configured: Callable[[], str | None]
    state: Path
    env: Mapping[str, str]

    def store(self, named: str | None) -> Store:
        """Raises BadInput for what is no place."""
        return location.open_store(named or self.configured() or str(self.state / "vault"), self.env)

    def find(self, wanted: str | None, place: str | None = None, of: Of | None = None) -> tuple[Store, str]:
        """The kit of that name, and its store; None means the newest one, `of` whose. Raises BadInput."""
        named = Named.parse(wanted) if wanted is not None else Named(None, None)
        if named.place is not None and place is not None:
            raise BadInput("The place is named twice.", next_action="Name it once: PLACE:ID, or ID and --to PLACE")
        store = self.store(named.place or place)
        return store, find(store, named.kit, of)


def open_kit(context: RunContext, work: Path) -> KitReader | None:
    """The kit that was asked for; None without one. Raises BadInput as `pinned` and `identity_file` do."""
    wanted = context.request.kit
    if wanted is None:
        return None
    store, kit = KitLocations(lambda: context.target.config.kit.to, context.state, context.env).find(wanted)
    keys = Identity.read(identity_file(context.identity, context.env))
    place = private_directory(work / "kit")
    reader = KitReader(ReadOnlyStore(store), kit, keys, place, lambda _: context.stop.check())
    _refuse_unsaid(reader, Of(context.target.services.heroku.app, context.target.identity))
    return reader


def _refuse_unsaid(kit: KitReader, of: Of) -> None:
    """Without a card the newest kit of a place was taken for this application's before anything told whose it is."""
    manifest = kit.manifest
    if not kit.card_read and Of(manifest.app, manifest.identity) != of:
        raise BadInput(
            f"{kit.kit} is the kit of {manifest.app} ({manifest.target}), and its card is not there to say so.",
            next_action="Name the kit that is meant: uscdr kit list, then --kit ID",
        )


def pinned(wanted: str, place: Target, state: Path, env: Mapping[str, str] | None = None) -> str:
    """`newest` of this place, an id, its beginning, or one of these after a directory or bucket, as `PLACE:ID`.

    A resumed run works from the kit it was begun with, whatever was built since and wherever it is resumed from.
    Raises BadInput when there is no such kit.
    """
    places = KitLocations(lambda: place.config.kit.to, state, os.environ if env is None else env)
    store, kit = places.find(wanted, of=Of(place.services.heroku.app, place.identity))
    return f"{store.place}:{kit}"


def identity_file(given: Path | None, env: Mapping[str, str]) -> Path:
    """Where the private key is. Raises BadInput when nobody says."""
    named = given or env.get(IDENTITY)
    if not named:
        raise BadInput(
            "A kit cannot be opened without its identity.",
            next_action=f"Name the file with the private key: {IDENTITY}=PATH, or --identity PATH",
        )
    return Path(named)


def ill_kept(identity: Path, env: Mapping[str, str]) -> tuple[str, ...]:
    """What is wrong with where a private key is kept, each with its cure."""
    return tuple(filter(None, (exposure(identity), published(identity, env))))


RECIPIENTS, PASSPHRASE_FILE = "USCDR_KIT_RECIPIENTS", "USCDR_VAULT_PASSPHRASE_FILE"


def settings(config: Config) -> VaultSettings:
    """The section `vault` of scenarios.yaml."""
    return config.vault


def open_store(place: str | None, config: Config, state: Path, env: Mapping[str, str]) -> Store:
    """Where copies are: as named, as configured for copies or for kits, or in the state directory."""
    return location.open_store(place or settings(config).to or config.kit.to or str(state / "vault"), env)


def standing_recipients(env: Mapping[str, str]) -> tuple[str, ...]:
    """Of the environment, separated by commas or lines: SSH keys hold spaces."""
    return tuple(part for part in re.split(r"[,\n]", env.get(RECIPIENTS, "")) if part.strip())


def keyring_for(
    given: tuple[str, ...], passphrase_file: Path | None, config: Config, env: Mapping[str, str]
) -> Keyring:
    """Who will be able to open copies. Raises BadInput when nobody would."""
    texts = given or standing_recipients(env) or settings(config).recipients or config.kit.recipients
    file = _passphrase_file(passphrase_file, env)
    passphrase = read_passphrase(file) if file else None
    if not texts and passphrase is None:
        raise BadInput(
            "Nobody could open the copy: there is neither a recipient nor a passphrase.",
            next_action=f"Give a public key (--recipient age1…, {RECIPIENTS}, `vault: {{recipients: […]}}` in "
            f"scenarios.yaml), or the file of a passphrase ({PASSPHRASE_FILE}).",
        )
    return Keyring(Recipient.read(texts) if texts else (), passphrase)


def reading_keys(identity: Path | None, passphrase_file: Path | None, env: Mapping[str, str]) -> Keys:
    """What is at hand to open copies; nothing is no error."""
    named = identity or env.get(IDENTITY)
    file = _passphrase_file(passphrase_file, env)
    return Keys(Identity.read(Path(named)) if named else (), read_passphrase(file) if file else None)


def _passphrase_file(given: Path | None, env: Mapping[str, str]) -> Path | None:
    named = given or env.get(PASSPHRASE_FILE)
    return Path(named) if named else None


def _download(context: RunContext, link: SignedUrl, stop: threading.Event) -> AbstractContextManager[IncomingDump]:
    """Begin to download a backup, as a stream."""
    return dump_stream.open_stream(link, verify=trust(context.target.ca_file), stop=stop)


def decode(dump: Path) -> Decoded:
    """`pg_restore -l`. Raises CheckFailed when the dump does not decode."""
    found = archive.read(dump, None)
    return Decoded(_version(found.tool), str(found.dumped_from or ""), found.extensions)


def _version(tool: Tool) -> str:
    return ".".join(map(str, tool.version))


def keeping(heroku: HerokuTarget, platform: Platform, store: Callable[[], Store]) -> Keep:
    """Keeps the proofs that a recovery makes with those of `uscdr backup prove`."""

    def keep(source: DumpSource, got: Download, shown: ProofResult, asked: Questions) -> None:
        attachment = platform.database(heroku.app, heroku.database)
        subject = ProofSubject(
            sha256=got.sha256, size=got.size, app=heroku.app, backup=source.name, transfer_id=source.id,
            taken_at=source.taken_at or datetime.now(UTC), source="platform", addon_id=attachment.addon_id,
        )  # fmt: skip
        shown.document(subject, asked).keep(store())

    return keep


def fresh_proof(context: RunContext) -> Callable[[str], ProofDocument | None]:
    """By a dump's SHA-256: a young proof in the vault. A vault that cannot be read has none to offer."""

    def look(sha256: str) -> ProofDocument | None:
        config = context.target.config
        try:
            store = open_store(None, config, context.state, context.env)
            return Proofs(store).fresh(sha256, config.invariants, datetime.now(UTC))
        except (UscdrError, OSError):
            return None

    return look


# The place of backups' copies as the steps of a scenario are given it.


def copies_access(context: RunContext, scratch: Callable[[], Scratch]) -> CopiesAccess:
    """Opened when it is first asked for: most scenarios never do."""
    config, to = context.target.config, context.request.to

    @cache
    def store() -> Store:
        found = open_store(to, config, context.state, context.env)
        return ReadOnlyStore(found) if context.dry_run else found

    def keyring() -> Keyring | None:
        # a resumed run has its request from JSON
        given = tuple(context.request.recipients)
        return keyring_for(given, None, config, context.env) if given or _named(context) else None

    return CopiesAccess(
        target=context.target.name,
        to=to,
        store=store,
        keyring=keyring,
        reading=lambda: reading_keys(context.identity, None, context.env),
        download=lambda link: _download(context, link, context.stop.event),
        decode=decode,
        scratch=scratch,
        turn=lambda message, say: WriterQueue(operator(context.env), context.stop.pause, say).turn(store(), message),
    )


def _named(context: RunContext) -> bool:
    """Whether configuration or environment name anybody who could open a copy."""
    config, env = context.target.config, context.env
    standing = settings(config).recipients or config.kit.recipients
    return bool(standing or env.get(RECIPIENTS, "").strip() or env.get(PASSPHRASE_FILE))


# What earlier looks at a database found: the baseline of `verify`, and the proofs of its backups in the vault.


BASELINE = "the baseline"
PROVEN_FOR = timedelta(days=14)
"""Proofs are made often; a baseline counts until somebody saves another."""


def earlier(context: RunContext, of: Scope, undone: Callable[[datetime], bool]) -> Earlier:
    """What can be read of it: a vault or a baseline that cannot is none. `undone` states were replaced by a restore."""
    baseline, proofs = _baseline(context), tuple(_proofs(context, of))
    whole = (one for one in proofs if one.counts and one.sound and one.transfer_id not in of.damaged)
    states = [_proven(one) for one in whole if not undone(one.taken_at)]
    keys = [
        (f"the proof of {one.backup}", one.proven_at, one.canary.fingerprint)
        for one in proofs
        if one.canary.verdict == "pass" and one.canary.fingerprint
    ]
    if baseline is not None:
        states += [] if undone(baseline.taken_at) else [_of_baseline(baseline)]
        keys += [(BASELINE, baseline.taken_at, key) for key in _values(baseline, "key") if isinstance(key, str)]
    ordered = sorted(states, key=lambda one: one.at)
    return Earlier(tuple(ordered), tuple(sorted(keys, key=lambda one: one[1])))


def _baseline(context: RunContext) -> Baseline | None:
    try:
        return Baseline.read(context.state, context.target.key)
    except UscdrError:
        return None


def _proofs(context: RunContext, of: Scope) -> Iterator[ProofDocument]:
    """Of this database, one for each dump."""
    try:
        found = Proofs(open_store(None, context.target.config, context.state, context.env)).all()
    except (UscdrError, OSError):
        return
    yield from (one for one in found if of.owns(one))


def _proven(one: ProofDocument) -> DatabaseState:
    return DatabaseState(one.backup, one.taken_at, one.counts, one.newest, counts_for=PROVEN_FOR)


def _of_baseline(baseline: Baseline) -> DatabaseState:
    rows: dict[str, int] = {}
    newest: dict[str, str | None] = {}
    for counted in _values(baseline, "rows"):
        rows |= {str(TableName.parse(table)): number for table, number in _mapping(counted).items()}
    for times in _values(baseline, "newest"):
        newest |= _mapping(times)
    return DatabaseState(BASELINE, baseline.taken_at, rows, newest)


def _values(baseline: Baseline, name: str) -> Iterator[Any]:
    yield from (measures[name] for measures in baseline.checks.values() if name in measures)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
