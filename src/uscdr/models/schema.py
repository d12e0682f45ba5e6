"""Compares a database's tables with the result of the code's migrations. Pure.

The code reads and writes the models' state after its migrations. A missing column makes every read fail. A required
column that no model knows makes every insert fail. A file that cannot be interpreted is not judged: its application is
listed as unclear.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from uscdr.models.base import Fact

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from uscdr.models.postgres import TableColumn

# The effect of one migration on tables, by its file. Names are `app.name`, models in lower case.


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
    """False for a field of an unknown kind: its column may have another name, or not exist."""


class Operation(Fact):
    """One operation. `side` tells whether it changes the database, the models' state, or both."""

    kind: Kind
    model: str = ""
    fields: tuple[FieldMade, ...] = ()
    field: str = ""
    """Of `remove` and `rename_field`: the old name of the field."""
    new: str = ""
    """Of `rename` and `rename_field`: the new name."""
    table: str = ""
    """Of `create` and `table`: the table's name when it is given; `sql`: the statements, empty when not literal."""
    managed: bool = True
    """False for a model whose table Django does not create or drop."""
    side: Literal["both", "state", "database"] = "both"


class MigrationFile(Fact):
    """One migration's file. `understood` is False when its effect cannot be read from its text."""

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
        """Whether it runs its own Python code, which a trial of its SQL does not cover."""
        return any(one.kind == "python" for one in self.operations)


EXISTS = "already exists"
"""How the words of an obstacle end when what a migration makes is there."""
LONGEST = 63
"""PostgreSQL's limit for names; Django shortens longer ones with its own rule."""


@dataclass(frozen=True)
class _Model:
    """A model after the migrations."""

    table: str
    fields: Mapping[str, FieldMade] = field(default_factory=dict)
    managed: bool = True
    given: bool = False
    """Whether the table's name was given, so that renaming the model does not change it."""

    def columns(self) -> frozenset[str]:
        """Every name that a column of it may have."""
        return frozenset(column for one in self.fields.values() for column in one.columns)


@dataclass
class SchemaState:
    """Models by application and name, while migrations are replayed."""

    models: dict[tuple[str, str], _Model] = field(default_factory=dict)
    unclear: set[str] = field(default_factory=set)
    """Applications with a file that could not be interpreted."""

    def tables(self) -> dict[str, _Model]:
        """Table -> model, of those whose table Django makes and that are understood."""
        clear = (
            model for (app, _), model in self.models.items() if app not in self.unclear and len(model.table) <= LONGEST
        )
        return {model.table: model for model in clear if model.managed}

    @classmethod
    def after(cls, files: Iterable[MigrationFile]) -> SchemaState:
        """The models after these migrations, in this order."""
        state = SchemaState()
        for one in files:
            if not one.understood:
                state.unclear.add(one.app)
            for operation in one.operations:
                if operation.side != "database":
                    _change(state, one.app, operation)
        return state

    def lacking(self, columns: Collection[TableColumn]) -> tuple[str, ...]:
        """Tables and `table.column`s of the models that the database lacks."""
        there = _by_table(columns)
        found: list[str] = []
        for table, model in self.tables().items():
            if table not in there:
                found.append(table)
                continue
            fields = (one for one in model.fields.values() if one.sure and one.columns)
            found += [f"{table}.{one.columns[0]}" for one in fields if not there[table].intersection(one.columns)]
        return tuple(sorted(found))

    def unfillable(self, before: SchemaState, columns: Collection[TableColumn]) -> tuple[str, ...]:
        """Required `table.column`s that the code does not know: it cannot save rows there.

        `before` is the state after the applied migrations: what a pending one removes is left out.
        """
        known, earlier = self.tables(), before.tables()
        found = [
            f"{one.table}.{one.name}"
            for one in columns
            if one.must_be_given and one.table in known
            and one.name not in known[one.table].columns()
            and not (one.table in earlier and one.name in earlier[one.table].columns())
        ]  # fmt: skip
        return tuple(sorted(found))

    def obstacles(self, pending: Iterable[MigrationFile], columns: Collection[TableColumn]) -> tuple[str, ...]:
        """Why pending migrations would fail on a database in this state: `app.name: what exists already or is missing`.

        Only certain reasons: after SQL that cannot be parsed, or an unknown operation, nothing more is reported.
        """
        rehearsal = _Rehearsal(_by_table(columns), self)
        found: list[str] = []
        for one in pending:
            if not one.understood:
                break
            for operation in one.operations:
                found += [f"{one.name}: {words}" for words in rehearsal.run(one.app, operation)]
            if rehearsal.blind:
                break
        return tuple(found)


def _change(state: SchemaState, app: str, one: Operation) -> None:
    key, models = (app, one.model), state.models
    if one.kind == "opaque":
        state.unclear.add(app)
    elif one.kind == "create":
        models[key] = _Model(one.table or f"{app}_{one.model}", _fields(one), one.managed, given=bool(one.table))
    elif one.kind in ("sql", "python"):
        return
    elif key not in models:
        state.unclear.add(app)
    elif one.kind == "delete":
        del models[key]
    elif one.kind == "rename":
        model = models.pop(key)
        models[app, one.new] = model if model.given else replace(model, table=f"{app}_{one.new}")
    else:
        models[key] = _changed(models[key], app, one)


def _fields(one: Operation) -> dict[str, FieldMade]:
    return {made.name: made for made in one.fields}


def _changed(model: _Model, app: str, one: Operation) -> _Model:
    """The model after an operation."""
    if one.kind == "table":
        return replace(model, table=one.table or f"{app}_{one.model}", given=bool(one.table))
    if one.kind == "managed":
        return replace(model, managed=one.managed)
    fields = dict(model.fields)
    if one.kind in ("add", "alter"):
        fields |= _fields(one)
    elif one.kind == "remove":
        fields.pop(one.field, None)
    elif one.kind == "rename_field" and (made := fields.pop(one.field, None)) is not None:
        fields[one.new] = _renamed(made, one.field, one.new)
    return replace(model, fields=fields)


def _renamed(made: FieldMade, old: str, new: str) -> FieldMade:
    """A field with its new name; a column named after it is renamed too."""
    columns = tuple({old: new, f"{old}_id": f"{new}_id"}.get(column, column) for column in made.columns)
    return made.model_copy(update={"name": new, "columns": columns})


def _by_table(columns: Iterable[TableColumn]) -> dict[str, set[str]]:
    there: dict[str, set[str]] = {}
    for one in columns:
        there.setdefault(one.table, set()).add(one.name)
    return there


class _Rehearsal:
    """The database's tables while pending migrations are replayed."""

    def __init__(self, there: dict[str, set[str]], before: SchemaState) -> None:
        self._there = there
        self._state = SchemaState(dict(before.models), set(before.unclear))
        self._touched: set[str] = set()
        """Tables named in SQL statements: their state afterwards is unknown."""
        self.blind = False

    def run(self, app: str, one: Operation) -> list[str]:
        """What prevents one operation."""
        if one.kind == "opaque":
            self.blind = True
        if one.kind == "sql":
            self._read(one.table)
        if self.blind or one.kind in ("sql", "python"):
            return []
        old = self._state.models.get((app, one.model))
        _change(self._state, app, one)
        new = self._state.models.get((app, one.new if one.kind == "rename" else one.model))
        if one.side == "state" or app in self._state.unclear:
            return []
        return self._judge(one, old, new)

    def _read(self, statements: str) -> None:
        if not statements:
            self.blind = True
        self._touched |= {table for table in self._there if re.search(rf"\b{re.escape(table)}\b", statements)}
        self._touched |= set(re.findall(r"(?i)\btable\s+(?:if\s+(?:not\s+)?exists\s+)?\"?(\w+)", statements))

    def _judge(self, one: Operation, old: _Model | None, new: _Model | None) -> list[str]:
        model = old or new
        if model is None or not model.managed or len(model.table) > LONGEST:
            return []
        known = model.table not in self._touched and (new is None or new.table not in self._touched)
        words = self._effect(one, old, new)
        return words if known else []

    def _effect(self, one: Operation, old: _Model | None, new: _Model | None) -> list[str]:
        if one.kind == "create" and new is not None:
            return self._make(new)
        if old is None:
            return []
        if old.table not in self._there:
            return [f"the table {old.table} does not exist"]
        if one.kind == "delete":
            del self._there[old.table]
            return []
        if one.kind in ("rename", "table") and new is not None:
            return self._move(old.table, new.table)
        return self._columns(one, old, new) if new is not None else []

    def _make(self, new: _Model) -> list[str]:
        if new.table in self._there:
            return [f"the table {new.table} {EXISTS}"]
        self._there[new.table] = set(new.columns())
        return []

    def _move(self, old: str, new: str) -> list[str]:
        if old == new:
            return []
        if new in self._there:
            return [f"the table {new} {EXISTS}"]
        self._there[new] = self._there.pop(old)
        return []

    def _columns(self, one: Operation, old: _Model, new: _Model) -> list[str]:
        columns = self._there[old.table]
        name = one.field or (one.fields[0].name if one.fields else "")
        was, becomes = old.fields.get(name), new.fields.get(one.new or name)
        gone, made = _sure(was), _sure(becomes)
        if one.kind == "add":
            gone = None
        if gone is not None and gone not in columns:
            return [f"the column {old.table}.{gone} does not exist"]
        if made is not None and made != gone and made in columns:
            return [f"the column {old.table}.{made} {EXISTS}"]
        if gone is not None and (one.kind == "remove" or made is not None):
            columns.discard(gone)
        columns.update(becomes.columns if becomes is not None else ())
        return []


def _sure(made: FieldMade | None) -> str | None:
    return made.columns[0] if made is not None and made.sure and made.columns else None
