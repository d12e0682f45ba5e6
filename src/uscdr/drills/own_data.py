"""The operator's own database in a drill: the newest proven copy, masked before a sandbox may see any of it."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import SecretStr

from uscdr.cleanup import workplace
from uscdr.drills import own_code
from uscdr.drills.own_code import OwnCode
from uscdr.drills.own_copy import CopyRequest, own_copy
from uscdr.models.data_settings import ColumnName, TableName
from uscdr.models.masking import DrillUser, MaskingRules
from uscdr.words import first_of, moment, plural

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from uscdr.drills.own_copy import OwnCopy
    from uscdr.models.masking import MaskedDatabase
    from uscdr.scenarios.config import Config

LOGIN, EMAIL = "uscdr-drill", "uscdr-drill@example.invalid"


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
    taken_at: datetime
    masked: MaskedDatabase

    @property
    def words(self) -> str:
        """One line for the screen."""
        columns, tables = self.masked.masked, self.masked.rows
        return (
            f"{self.backup} of {moment(self.taken_at)} (copy {self.copy}), {plural(sum(tables.values()), 'row')} of "
            f"{plural(len(tables), 'table')}, {plural(len(columns), 'column')} masked"
        )


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


def prepare(home: Path, state: Path, wanted: OwnRequest, config: Config, say: Callable[[str], None]) -> OwnStage:
    """Make the masked dump and everything else in `home`; what is not masked is gone when this returns.

    Raises:
        BadInput: no copy, key, code or interpreter; or a column that no rule is known for.
        CheckFailed: the copy is damaged, or a masked row breaks a constraint.
        MachineError, ProviderError: this machine or the repository failed.
    """
    copy = own_copy(
        CopyRequest(wanted.copy, wanted.target, wanted.identity, wanted.passphrase_file), config, state
    )  # fmt: skip
    source = own_code.require_code(wanted.source, config)
    python = own_code.interpreter(wanted.python, os.environ)
    key, password = secrets.token_urlsafe(32), secrets.token_urlsafe(18)
    values = own_code.variables(config, wanted.env_file, key)
    tree = own_code.tree(source, config, home, as_it_is=wanted.source is not None)
    code = OwnCode(tree, python, values)
    user = _user(config, code.hashed(password)) if config.access else None
    masked = _masked(copy, _rules(config, key), user, (home, state), say)
    data = DrillData(copy.id, copy.backup, copy.taken_at, masked)
    say(f"The drill's data: {data.words}")
    broker = any(one.startswith("heroku-redis") for one in config.recovery.services)
    return OwnStage(
        data, home / "masked.dump", code, own_code.write_env_file(home / "config.env", values), broker,
        _login(config) if masked.signed_in else "", password,
    )  # fmt: skip


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
    copy: OwnCopy, rules: MaskingRules, user: DrillUser | None, places: tuple[Path, Path], say: Callable[[str], None]
) -> MaskedDatabase:
    """Decrypt, restore, mask and dump, in a directory of its own that is removed before this returns."""
    from uscdr.providers.postgres.scratch_masked import MaskingScratch

    home, state = places
    with workplace(state, f"masking-{secrets.token_hex(4)}") as work:
        say(f"Decrypting the copy {copy.id}")
        with copy.opened(work) as dump:
            say("Restoring it into a private PostgreSQL, and masking it there")
            masked = MaskingScratch(work, rules, user).masked(dump, home / "masked.dump", lambda *_: None)
    for text in masked.unknown:
        say(f"scenarios.yaml names {text} under `masking`, which the copy does not have")
    if masked.left_out:
        say(f"The drill's database lacks parts of the copy: {first_of(masked.left_out)}")
    return masked
