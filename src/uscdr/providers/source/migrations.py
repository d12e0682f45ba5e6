"""Django's migrations in a commit's files: their names, and what squashed ones replace. Executes no code. Pure."""

from __future__ import annotations

import ast
import io
import re
import tarfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from uscdr.models.migrations import CodeMigrations
from uscdr.models.schema import FieldMade, MigrationFile, Operation

# A migration's effect on tables, from the file's syntax tree. Executes no code. Pure.


_NO_COLUMN = frozenset({"ManyToManyField", "GenericForeignKey", "GenericRelation", "CompositePrimaryKey"})
_RELATIONS = frozenset({"ForeignKey", "OneToOneField", "TreeForeignKey", "TreeOneToOneField"})
_PLAIN = frozenset(
    {
        f"{kind}Field"
        for kind in (
            "Auto", "BigAuto", "SmallAuto", "BigInteger", "Binary", "Boolean", "Char", "CommaSeparatedInteger", "Date",
            "DateTime", "Decimal", "Duration", "Email", "File", "FilePath", "Float", "Generated", "GenericIPAddress",
            "IPAddress", "Image", "Integer", "JSON", "NullBoolean", "PositiveBigInteger", "PositiveInteger",
            "PositiveSmallInteger", "Slug", "SmallInteger", "Text", "Time", "URL", "UUID", "Array", "HStore",
            "SearchVector", "CIChar", "CIText", "CIEmail",
        )
    }
)  # fmt: skip
_WITHOUT_TABLES = frozenset(
    {
        "AddIndex", "RemoveIndex", "RenameIndex", "AddConstraint", "RemoveConstraint", "AlterConstraint",
        "AlterUniqueTogether", "AlterIndexTogether", "AlterModelManagers", "AlterModelTableComment",
        "AlterOrderWithRespectTo", "AddIndexConcurrently", "RemoveIndexConcurrently", "AddConstraintNotValid",
        "ValidateConstraint", "CreateExtension", "CryptoExtension", "TrigramExtension", "HStoreExtension",
        "UnaccentExtension", "CITextExtension", "BtreeGinExtension", "BtreeGistExtension", "BloomExtension",
        "CreateCollation", "RemoveCollation",
    }
)  # fmt: skip
"""Operations that do not create, drop or rename a model's table or column."""

_Arguments = Mapping[str, ast.expr]


class _Unclear(Exception):
    """The value is not a literal."""


def _parse(name: str, text: str) -> MigrationFile:
    """The migration `app.name` of that text; not `understood` unless it consists of plain lists of calls."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # other people's code may have invalid escapes in strings
            body = _body(ast.parse(text))
        given = dict(_assigned(body))
        needs = tuple(_dependencies(given.get("dependencies")))
        return MigrationFile(name=name, dependencies=needs, operations=tuple(_operations(given.get("operations"))))
    except (_Unclear, SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return MigrationFile(name=name, understood=False)


def _body(module: ast.Module) -> list[ast.stmt]:
    found = next((one for one in module.body if isinstance(one, ast.ClassDef) and one.name == "Migration"), None)
    if found is None:
        raise _Unclear
    return found.body


def _assigned(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for node in body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None and isinstance(node.target, ast.Name):
            yield node.target.id, node.value
        elif isinstance(node, ast.AugAssign | ast.If | ast.For | ast.While | ast.With | ast.Try):
            raise _Unclear


def _dependencies(value: ast.expr | None) -> Iterator[str]:
    """The named ones; not one that settings decide (`swappable_dependency`)."""
    for one in _items(value) if value is not None else ():
        if isinstance(one, ast.Tuple | ast.List) and len(one.elts) == 2:  # noqa: PLR2004 - app and name
            app, name = _text(one.elts[0]), _text(one.elts[1])
            if not name.startswith("__"):
                yield f"{app}.{name}"


def _operations(value: ast.expr | None) -> Iterator[Operation]:
    for one in _items(value) if value is not None else ():
        yield from _operation(one)


def _operation(node: ast.expr) -> Iterator[Operation]:
    if not isinstance(node, ast.Call):
        raise _Unclear
    kind = _called(node)
    if kind == "SeparateDatabaseAndState":
        yield from _separate(_arguments(node, ("database_operations", "state_operations")))
    elif kind == "RunSQL":
        yield from _sql(_arguments(node, ("sql", "reverse_sql", "state_operations")))
    elif kind in _READERS:
        names, read = _READERS[kind]
        yield from read(_arguments(node, names))
    elif kind not in _WITHOUT_TABLES:
        yield Operation(kind="opaque")


def _separate(given: _Arguments) -> Iterator[Operation]:
    for key, side in (("database_operations", "database"), ("state_operations", "state")):
        for one in _operations(given.get(key)):
            yield one if one.side not in ("both", side) else one.model_copy(update={"side": side})


def _sql(given: _Arguments) -> Iterator[Operation]:
    statements = given.get("sql")
    texts = [one.value for one in ast.walk(statements) if isinstance(one, ast.Constant)] if statements else []
    plain = all(isinstance(one, _LITERAL) for one in ast.walk(statements)) if statements else False
    yield Operation(kind="sql", table="\n".join(str(text) for text in texts) if plain else "", side="database")
    for one in _operations(given.get("state_operations")):
        yield one.model_copy(update={"side": "state"})


_LITERAL = (ast.Constant, ast.List, ast.Tuple, ast.JoinedStr, ast.Load)


def _create(given: _Arguments) -> Iterator[Operation]:
    options = _options(given.get("options"))
    fields = tuple(_field(*_pair(one)) for one in _items(given["fields"]))
    yield Operation(
        kind="create", model=_text(given["name"]).lower(), fields=fields,
        table=_text(options["db_table"]) if "db_table" in options else "",
        managed=_is_true(options.get("managed"), default=True)
        and not _is_true(options.get("proxy"), default=False) and "swappable" not in options,
    )  # fmt: skip


def _alter_options(given: _Arguments) -> Iterator[Operation]:
    options = _options(given.get("options"))
    if "managed" in options:
        managed = _is_true(options["managed"], default=True)
        yield Operation(kind="managed", model=_text(given["name"]).lower(), managed=managed)


def _alter_table(given: _Arguments) -> Iterator[Operation]:
    table = given["table"]
    default = isinstance(table, ast.Constant) and table.value is None
    yield Operation(kind="table", model=_text(given["name"]).lower(), table="" if default else _text(table))


def _delete(given: _Arguments) -> Iterator[Operation]:
    yield Operation(kind="delete", model=_text(given["name"]).lower())


def _rename(given: _Arguments) -> Iterator[Operation]:
    yield Operation(kind="rename", model=_text(given["old_name"]).lower(), new=_text(given["new_name"]).lower())


def _add(given: _Arguments) -> Iterator[Operation]:
    yield _with_field("add", given)


def _alter(given: _Arguments) -> Iterator[Operation]:
    yield _with_field("alter", given)


def _with_field(kind: str, given: _Arguments) -> Operation:
    made = _field(_text(given["name"]), given["field"])
    whole = {"kind": kind, "model": _text(given["model_name"]).lower(), "fields": (made,)}
    return Operation.model_validate(whole)


def _remove(given: _Arguments) -> Iterator[Operation]:
    yield Operation(kind="remove", model=_text(given["model_name"]).lower(), field=_text(given["name"]))


def _rename_field(given: _Arguments) -> Iterator[Operation]:
    model, old, new = (_text(given[key]) for key in ("model_name", "old_name", "new_name"))
    yield Operation(kind="rename_field", model=model.lower(), field=old, new=new)


def _python(given: _Arguments) -> Iterator[Operation]:
    del given
    yield Operation(kind="python", side="database")


_READERS: Mapping[str, tuple[tuple[str, ...], Callable[[_Arguments], Iterator[Operation]]]] = {
    "CreateModel": (("name", "fields", "options", "bases", "managers"), _create),
    "DeleteModel": (("name",), _delete),
    "RenameModel": (("old_name", "new_name"), _rename),
    "AlterModelTable": (("name", "table"), _alter_table),
    "AlterModelOptions": (("name", "options"), _alter_options),
    "AddField": (("model_name", "name", "field", "preserve_default"), _add),
    "AlterField": (("model_name", "name", "field", "preserve_default"), _alter),
    "RemoveField": (("model_name", "name"), _remove),
    "RenameField": (("model_name", "old_name", "new_name"), _rename_field),
    "RunPython": (("code", "reverse_code"), _python),
}


def _field(name: str, node: ast.expr) -> FieldMade:
    """A field's column: `db_column`, else by its kind."""
    kind = _called(node) if isinstance(node, ast.Call) else ""
    if kind in _NO_COLUMN:
        return FieldMade(name=name)
    given = {one.arg: one.value for one in node.keywords if one.arg} if isinstance(node, ast.Call) else {}
    named = given.get("db_column")
    if isinstance(named, ast.Constant) and isinstance(named.value, str):
        return FieldMade(name=name, columns=(named.value,))
    sure = named is None or (isinstance(named, ast.Constant) and named.value is None)
    if sure and kind in _RELATIONS:
        return FieldMade(name=name, columns=(f"{name}_id",))
    if sure and kind in _PLAIN:
        return FieldMade(name=name, columns=(name,))
    return FieldMade(name=name, columns=(name, f"{name}_id"), sure=False)


def _arguments(node: ast.Call, names: tuple[str, ...]) -> _Arguments:
    """Arguments by name; a missing required one raises LookupError. Raises _Unclear for `*` and `**`."""
    if any(isinstance(one, ast.Starred) for one in node.args) or any(one.arg is None for one in node.keywords):
        raise _Unclear
    given = dict(zip(names, node.args, strict=False)) | {str(one.arg): one.value for one in node.keywords}
    return _Given(given)


class _Given(dict[str, ast.expr]):
    """A call's arguments; a missing required one raises _Unclear."""

    def __missing__(self, key: str) -> ast.expr:
        raise _Unclear(key)


def _called(node: ast.Call) -> str:
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _items(node: ast.expr) -> list[ast.expr]:
    if not isinstance(node, ast.List | ast.Tuple) or any(isinstance(one, ast.Starred) for one in node.elts):
        raise _Unclear
    return node.elts


def _pair(node: ast.expr) -> tuple[str, ast.expr]:
    if not isinstance(node, ast.Tuple | ast.List) or len(node.elts) != 2:  # noqa: PLR2004 - name and field
        raise _Unclear
    return _text(node.elts[0]), node.elts[1]


def _options(node: ast.expr | None) -> dict[str, ast.expr]:
    if node is None:
        return {}
    if not isinstance(node, ast.Dict):
        raise _Unclear
    if any(key is None for key in node.keys):
        raise _Unclear
    return {_text(key): value for key, value in zip(node.keys, node.values, strict=True) if key is not None}


def _is_true(node: ast.expr | None, *, default: bool) -> bool:
    if node is None:
        return default
    if not isinstance(node, ast.Constant):
        raise _Unclear
    return bool(node.value)


def _text(node: ast.expr) -> str:
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        raise _Unclear
    return node.value


_FILE = re.compile(r"(?:.*/)?([^/]+)/migrations/((?!_)\w+)\.py")
"""Django treats every module there as a migration unless its name starts with an underscore."""
_NUMBERED = re.compile(r"\d{4}_")
_CLASS = re.compile(r"^class\s+Migration\b", re.MULTILINE)
_INSTALLED = frozenset({"site-packages", "dist-packages", "node_modules"})
"""Libraries committed with the code; the platform installs its own."""


def names(files: Iterable[str]) -> dict[str, str]:
    """Path -> `app.name` of every `*/migrations/*.py` that may be a migration, and no part of a committed library."""
    found = (_FILE.fullmatch(path) for path in files if _INSTALLED.isdisjoint(PurePosixPath(path).parts))
    return {match[0]: f"{match[1]}.{match[2]}" for match in found if match}


def read(paths: Mapping[str, str], tar: bytes) -> CodeMigrations:
    """Which of `names` are migrations: numbered ones, and those with a Migration class; other code may be there.

    `tar` contains their texts, uncompressed.
    """
    texts = _texts(tar) if paths else {}
    known = {
        path: name
        for path, name in paths.items()
        if _NUMBERED.match(name.partition(".")[2]) or _CLASS.search(texts.get(path, ""))
    }
    old = {name: _replaced(texts.get(path, "")) for path, name in known.items()}
    squashed = {name: replaced for name, replaced in sorted(old.items()) if replaced}
    files = tuple(
        _file(name, {texts.get(path, "") for path, of in known.items() if of == name}) for name in _each(known)
    )
    return CodeMigrations(migrations=tuple(_each(known)), replaces=squashed, steps=files)


def _each(known: Mapping[str, str]) -> list[str]:
    return sorted(set(known.values()))


def _file(name: str, texts: set[str]) -> MigrationFile:
    """Its effect; not understood when several files of that name differ."""
    return _parse(name, texts.pop()) if len(texts) == 1 else MigrationFile(name=name, understood=False)


def _texts(tar: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as packed:
        files = ((one.name, packed.extractfile(one)) for one in packed if one.isfile())
        return {name: file.read().decode("utf-8", "replace") for name, file in files if file is not None}


def _replaced(text: str) -> tuple[str, ...]:
    """`replaces = [("app", "0001_name"), …]` of the class Migration, if it is a literal."""
    if "replaces" not in text:
        return ()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # other people's code may have invalid escapes in strings
            pairs = [ast.literal_eval(value) for value in _values(ast.parse(text))]
        return tuple(f"{app}.{name}" for found in pairs for app, name in found)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return ()


def _values(module: ast.Module) -> Iterator[ast.expr]:
    """The value of `replaces` in the class Migration."""
    classes = (one for one in module.body if isinstance(one, ast.ClassDef) and one.name == "Migration")
    for node in (node for one in classes for node in one.body):
        if isinstance(node, ast.Assign) and any(map(_is_replaces, node.targets)):
            yield node.value
        if isinstance(node, ast.AnnAssign) and node.value is not None and _is_replaces(node.target):
            yield node.value


def _is_replaces(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) and target.id == "replaces"
