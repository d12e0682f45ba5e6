"""How a copy of the operator's database is masked: the rules by column, and what was done, without any value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from uscdr.models.base import Fact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import SecretStr

    from uscdr.models.data_settings import CanaryColumn

Rule = Literal["name", "email", "phone", "text", "date", "number", "json", "null", "empty", "keep"]
"""What becomes of a column's values.

`name`, `email`: others of that kind. `phone`, `text`: as many characters, letters for letters and digits for digits.
`date`: moved by days, the same for all rows of a person. `number`: as many other digits where numbers tell who somebody
is or must differ, else one of the column's range. `json`: the same structure.
"""
ENCRYPTED: Literal["encrypted"] = "encrypted"
"""Instead of a rule: the column is encrypted again, from its masked plain counterpart, with the drill's own key."""


@dataclass(frozen=True)
class MaskingRules:
    """What scenarios.yaml says, and what the drill adds to it.

    `columns`: rules by column, as `ColumnName` prints it; `table.*` is every column of a table. `persons`: by table
    the column that names the person of a row. `fixed`: columns that hold words of the application, such as roles.
    `key` encrypts the columns of `canaries`.
    """

    columns: Mapping[str, Rule]
    persons: Mapping[str, str]
    fixed: frozenset[str]
    canaries: Sequence[CanaryColumn]
    key: SecretStr = field(repr=False)


@dataclass(frozen=True)
class DrillUser:
    """The account that the drill signs in with; it takes the place of an existing one.

    `flags` become true, `logins` get their values, `password` gets `hash`, in the table `accounts`.
    """

    accounts: str
    flags: Sequence[str]
    logins: Mapping[str, str]
    password: str
    hash: str = field(repr=False)


class MaskedColumn(Fact):
    """One column, the rule that it was masked by, and why it is that rule."""

    table: str
    column: str
    rule: Rule | Literal["encrypted"]
    why: str = ""


class MaskedDatabase(Fact):
    """What was masked: columns, and rows by table. `unknown` are rules for columns that the copy does not have."""

    columns: tuple[MaskedColumn, ...]
    rows: dict[str, int]
    unknown: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    """Parts of the dump that this machine's PostgreSQL could not restore, in words."""
    signed_in: bool = False
    """Whether an account took the drill's login and password."""

    @property
    def masked(self) -> tuple[MaskedColumn, ...]:
        """The columns that have other values now."""
        return tuple(one for one in self.columns if one.rule != "keep")
