"""What one migration of the code does to tables, as its file says. Names are `app.name`, models in lower case."""

from __future__ import annotations

from typing import Literal

from uscdr.models.base import Fact

Kind = Literal[
    "create", "delete", "rename", "table", "managed",
    "add", "alter", "remove", "rename_field",
    "sql", "python", "opaque",
]  # fmt: skip


class FieldMade(Fact):
    """A field of a model. `columns` are the names that its column may have; none when it has no column."""

    name: str
    columns: tuple[str, ...] = ()
    sure: bool = True
    """False for a field of an unknown kind: its column may have another name, or not be there."""


class Operation(Fact):
    """One operation. `side` tells whether it changes the database, the models' state, or both."""

    kind: Kind
    model: str = ""
    fields: tuple[FieldMade, ...] = ()
    field: str = ""
    """Of `remove` and `rename_field`: the field's name until then."""
    new: str = ""
    """Of `rename` and `rename_field`: the name from then on."""
    table: str = ""
    """Of `create` and `table`: the table's name when it is given; `sql`: the statements, empty when not literal."""
    managed: bool = True
    """False for a model whose table Django neither makes nor drops."""
    side: Literal["both", "state", "database"] = "both"


class MigrationFile(Fact):
    """One migration's file. `understood` is False when what it does could not be read from its text."""

    name: str
    dependencies: tuple[str, ...] = ()
    operations: tuple[Operation, ...] = ()
    understood: bool = True

    @property
    def app(self) -> str:
        """The application's label."""
        return self.name.partition(".")[0]

    @property
    def runs_code(self) -> bool:
        """Whether Python of its own runs in it, which no look at the SQL can try."""
        return any(one.kind == "python" for one in self.operations)
