"""The operator's own database in a drill: the newest proven copy, masked before a sandbox may see any of it."""

from __future__ import annotations

import os
import secrets
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from uscdr.backups.catalog import Scope, StoredCopies, find
from uscdr.backups.proofs import Proofs, demands_digest
from uscdr.cleanup import workplace
from uscdr.drills import own_code
from uscdr.drills.own_code import OwnCode
from uscdr.errors import BadInput
from uscdr.models.data_settings import ColumnName, TableName
from uscdr.models.masking import DrillUser, MaskingRules
from uscdr.sandbox.boot.request import APP
from uscdr.scenarios.config import SANDBOX
from uscdr.wiring import stores
from uscdr.words import first_of, moment, plural

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from uscdr.backups.catalog import BackupEntry
    from uscdr.backups.copy import Keys
    from uscdr.models.masking import MaskedDatabase
    from uscdr.scenarios.config import Config
    from uscdr.store.store import Store

VAULT = "vault"
LOGIN, EMAIL = "uscdr-drill", "uscdr-drill@example.invalid"
COMMAND = "uscdr drill db --from vault:newest --identity FILE --python PATH"


@dataclass(frozen=True)
class OwnRequest:
    """What the command line says: the copy (`vault:newest`), where the code is, what runs it, what decrypts.

    `target` is the target whose database was copied; None: the only one of scenarios.yaml.
    """

    copy: str
    source: str | None = None
    python: Path | None = None
    identity: Path | None = None
    passphrase_file: Path | None = None
    env_file: Path | None = None
    target: str | None = None


@dataclass(frozen=True)
class DrillData:
    """From which copy the data of a drill are, and how they were masked; no values."""

    copy: str
    backup: str
    taken_at: str
    masked: MaskedDatabase

    @property
    def words(self) -> str:
        """One line for the screen."""
        columns, tables = self.masked.masked, self.masked.rows
        return (
            f"{self.backup} of {self.taken_at} (copy {self.copy}), {plural(sum(tables.values()), 'row')} of "
            f"{plural(len(tables), 'table')}, {plural(len(columns), 'column')} masked"
        )

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "masked": self.masked.model_dump(mode="json")}


@dataclass(frozen=True)
class OwnStage:
    """What the sandbox of a drill is made from: a masked dump, code, variables; and the account that may sign in."""

    data: DrillData
    dump: Path
    code: OwnCode
    env_file: Path
    broker: bool
    login: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class _Choice:
    """All that must be there before anything is started."""

    entry: BackupEntry
    store: Store
    keys: Keys
    python: Path
    source: str


def prepare(home: Path, state: Path, wanted: OwnRequest, config: Config, say: Callable[[str], None]) -> OwnStage:
    """Make the masked dump and everything else in `home`; what is not masked is gone when this returns.

    Raises:
        BadInput: no copy, key, code or interpreter; or a column that no rule is known for.
        CheckFailed: the copy is damaged, or a masked row breaks a constraint.
        MachineError, ProviderError: this machine or the repository failed.
    """
    chosen = _choice(wanted, config, state)
    key, password = secrets.token_urlsafe(32), secrets.token_urlsafe(18)
    values = own_code.variables(config, wanted.env_file, key)
    tree = own_code.tree(chosen.source, config, home, as_it_is=wanted.source is not None)
    code = OwnCode(tree, chosen.python, values)
    user = _user(config, code.hashed(password)) if config.access else None
    masked = _masked(chosen, _rules(config, key), user, (home, state), say)
    card = chosen.entry.copies[0]
    data = DrillData(card.id, chosen.entry.name, moment(chosen.entry.taken_at), masked)
    say(f"The drill's data: {data.words}")
    broker = any(one.startswith("heroku-redis") for one in config.recovery.services)
    return OwnStage(
        data, home / "masked.dump", code, own_code.write_env_file(home / "config.env", values), broker,
        _login(config) if masked.signed_in else "", password,
    )  # fmt: skip


def _choice(wanted: OwnRequest, config: Config, state: Path) -> _Choice:
    place, _, name = wanted.copy.partition(":")
    if place != VAULT or not name:
        raise BadInput(
            f"--from {wanted.copy} does not name a copy.",
            next_action=f"Write vault:newest, or vault: and a backup or copy of `uscdr backup list`: {COMMAND}",
        )
    app = _app(wanted.target or os.environ.get("USCDR_TARGET"), config)
    store = stores.open_store(None, config, state, os.environ)
    entry = _entry(name, app, config, store)
    keys = stores.reading_keys(wanted.identity, wanted.passphrase_file, os.environ)
    if not keys.may_open(entry.copies[0]):
        raise BadInput(
            f"uscdr needs a key to decrypt the copy {entry.copies[0].id}.", next_action=f"Pass it: {COMMAND}"
        )  # fmt: skip
    source = own_code.require_code(wanted.source, config)
    return _Choice(entry, store, keys, own_code.interpreter(wanted.python, os.environ), source)


def _app(name: str | None, config: Config) -> str:
    """The application whose database was copied. Raises BadInput."""
    targets = config.targets
    if name == SANDBOX:
        return APP
    if name is None and len(targets) == 1:
        return next(iter(targets.values())).heroku.app
    if name is None or name not in targets:
        raise BadInput(
            "The drill does not know whose database it is to use.",
            next_action="Name a target of scenarios.yaml: "
            f"uscdr --target {next(iter(targets))} drill db --from vault:newest",
        )
    return targets[name].heroku.app


def _entry(name: str, app: str, config: Config, store: Store) -> BackupEntry:
    """The copy of this name, or the newest proven one. Raises BadInput."""
    scope = Scope(app, demands=demands_digest(config.invariants))
    entries = scope.entries((), StoredCopies.of(store).copies, Proofs(store))
    if name == "newest":
        proven = [one for one in entries if one.proven]
        if not proven:
            what = plural(len(entries), "copy", "copies")
            raise BadInput(
                f"{store.place} has no proven copy of the database of {app} ({what}, none proven).",
                next_action="Copy a backup and prove it: uscdr backup pull && uscdr backup prove --identity FILE",
            )
        return proven[-1]
    found = find(entries, name)
    if not found.proven:
        raise BadInput(
            f"The copy of {found.name} is not proven.",
            next_action=f"Prove it: uscdr backup prove {found.name} --identity FILE",
        )
    return found


def _rules(config: Config, key: str) -> MaskingRules:
    access = config.access
    roles = [str(ColumnName(TableName.parse(access.accounts), one)) for one in access.roles] if access else []
    settings = config.masking
    return MaskingRules(settings.columns, settings.persons, frozenset(roles), config.recovery.canaries, SecretStr(key))


def _login(config: Config) -> str:
    logins = config.access.logins if config.access else ()
    return _value(logins[0]) if logins else ""


def _value(login: str) -> str:
    return EMAIL if "mail" in login else LOGIN


def _user(config: Config, hashed: str) -> DrillUser | None:
    access = config.access
    if access is None or not access.password or not access.logins:
        return None
    logins = {one: _value(one) for one in access.logins}
    return DrillUser(access.accounts, access.flags, logins, access.password, hashed)


def _masked(
    chosen: _Choice, rules: MaskingRules, user: DrillUser | None, places: tuple[Path, Path], say: Callable[[str], None]
) -> MaskedDatabase:
    """Decrypt, restore, mask and dump, in a directory of its own that is removed before this returns."""
    from uscdr.providers.postgres.scratch_masked import MaskingScratch

    home, state = places
    card = chosen.entry.copies[0]
    with workplace(state, f"masking-{secrets.token_hex(4)}") as work:
        say(f"Decrypting the copy {card.id}")
        with chosen.keys.opened(chosen.store, card, work) as dump:
            say("Restoring it into a private PostgreSQL, and masking it there")
            masked = MaskingScratch(work, rules, user).masked(dump, home / "masked.dump", lambda *_: None)
    for text in masked.unknown:
        say(f"scenarios.yaml names {text} under `masking`, which the copy does not have")
    if masked.left_out:
        say(f"The drill's database lacks parts of the copy: {first_of(masked.left_out)}")
    return masked
