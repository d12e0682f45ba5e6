"""Decides for each column of a copy by which rule it is masked. What is not known to be harmless is masked, or refused.

What stays by itself: truth values, words of an enumeration or of a CHECK, the columns of `access.roles`, short codes
that many rows share, dates and UUIDs that are keys, and the tables that Django itself needs.

Of numbers stay: keys (primary or foreign, the numbers of rows that a generic relation names, the number that decides a
row's partition), what a CHECK lists, and codes: at most twelve whole numbers of at most four digits, each in at least
five rows. Names win: a number whose name tells an identity (`student_no`, `phone`) or a measure of somebody
(`birth_year`, `weight`) is masked, whatever its values are. A key with such a name that no sequence makes is masked,
too, with all that refer to it. Every other number is masked by `number`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from uscdr.errors import BadInput
from uscdr.models.data_settings import ColumnName, TableName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from uscdr.models.data_settings import CanaryColumn
    from uscdr.models.masking import MaskingRules, Rule
    from uscdr.providers.postgres.masking_catalog import Kind, MaskCatalog, MaskColumn, Spot

DJANGOS = ("django_migrations", "django_content_type", "auth_permission", "auth_group")
"""Tables that Django needs as they are; they hold names of the code."""
EVERY = "*"
SAID = "scenarios.yaml"
GENERIC = "the number of a row of any table"
ALONE = ("null", "empty")
"""Rules that a column has for itself, whatever other columns of the same values have."""
_TEXT: tuple[Rule, ...] = ("name", "email", "phone", "text", "number", "null", "empty", "keep")
FITS: Mapping[Kind, tuple[Rule, ...]] = {
    "text": _TEXT,
    "json": ("json", "null", "empty", "keep"),
    "bytes": ("text", "null", "empty", "keep"),
    "date": ("date", "null", "keep"),
    "time": ("date", "null", "keep"),
    "uuid": ("text", "null", "keep"),
    "address": ("text", "null", "keep"),
    "search": ("empty", "null", "keep"),
    "number": ("number", "null", "keep"),
    "span": ("number", "null", "keep"),
    "plain": ("null", "keep"),
    "unknown": ("null", "keep"),
}
"""The rules that a column of each kind can be masked by; the first is the default, except of `plain` and `unknown`."""
_EMAIL = re.compile(r"e_?mail", re.IGNORECASE)
_PHONE = re.compile(r"phone|mobile|contact_?n|fax", re.IGNORECASE)
_NAME = re.compile(r"(?:first|last|middle|full|given|family|patient|maiden|nick)_?name|surname", re.IGNORECASE)
_TELLING = re.compile(
    r"name|mail|phone|mobile|address|street|city|note|diagnos|token|secret|pass|allerg|illness|condition|medic|blood|title",
    re.IGNORECASE,
)
"""Names of columns whose words are somebody's, however few there are."""
Promise = Literal["identity", "measure", ""]
"""What the name of a number says: it tells who somebody is, or what was found or paid; or neither."""
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_IDENTITY = re.compile(
    r"phone|mobile|cell|contact|fax|(?:^|_)tel(?:_|$)|(?:no|nr|nbr|num|number)s?$|zip|postal|post_?code|(?:^|_)pin(?:_|$)"
    r"|(?:student|learner|pupil|employee|staff|national|citizen|tax|patient|person|member|card|account|insurance|school"
    r"|civil|personal|health|user|identity)_?(?:id|code|key|ref)$"
    r"|(?:^|_)(?:ssn|sss|gsis|tin|mrn|nin|nhs|lrn|prc|npi|nik|cpf|iban|uid|otp)(?:_|$)"
    r"|phil_?health|pag_?ibig|umid|passport|licen[cs]e|registration|matric|barcode|(?:^|_)identi|latitude|longitude"
)
_MEASURE = re.compile(
    r"birth|born|(?:^|_)(?:ages?|dob|yob|bmi|bp|hr|rr|spo2|gpa|temp|lat|lng|lon)(?:_|$)|weight|height|temperature|pulse"
    r"|heart|respirat|systolic|diastolic|pressure|oxygen|saturation|glucose|sugar|cholesterol|h[ae]+moglobin|salary"
    r"|income|wage|allowance|dosage|(?:^|_)dose"
)
SHORT_CODE = 32
"""The longest `varchar(n)` that may hold codes such as `ADMIN`."""


@dataclass(frozen=True)
class PlannedMask:
    """One column and its rule. `group`: the columns with the same number have the same values before and after."""

    column: MaskColumn
    rule: Rule | Literal["encrypted"]
    why: str = ""
    group: int | None = None
    plain: str = ""
    """Of an encrypted column: the column that it is encrypted from."""
    person: str = ""
    """The column of the same table that names the person; empty: each row is its own."""
    promise: Promise = ""


@dataclass(frozen=True)
class MaskPlan:
    """What becomes of every column. `unknown`: columns of scenarios.yaml that the copy does not have."""

    columns: tuple[PlannedMask, ...]
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class MaskPlanner:
    """Makes the plan. `codes` says whether a column's words are codes that many rows share; it is asked last."""

    catalog: MaskCatalog
    rules: MaskingRules
    codes: Callable[[MaskColumn], bool]

    def plan(self) -> MaskPlan:
        """Raises BadInput: a rule that does not fit its column, or a type that no rule is known for."""
        groups = _groups(self.catalog)
        natural = _natural(self.catalog, groups)
        decided = [self._of(column, groups.get(column.spot), natural) for column in self.catalog.columns]
        columns = tuple(_agreed(decided))
        _require_generic(columns, self.catalog)
        return MaskPlan(columns, tuple(sorted(self._unknown())))

    def _of(self, column: MaskColumn, group: int | None, natural: frozenset[Spot]) -> PlannedMask:
        said = self._said(column)
        canary = next((one for one in self.rules.canaries if _is_encrypted(one, column)), None)
        person = self._person(column)
        if said is None and canary is not None:
            return PlannedMask(column, "encrypted", "from its masked plain counterpart", plain=canary.plain)
        if said is None:
            rule, why = self._default(column, group, natural)
            return PlannedMask(column, rule, why, group, person=person, promise=promise(column.name))
        _require_fit(column, said)
        own = None if said in ALONE else group
        return PlannedMask(column, said, SAID, own, person=person, promise=promise(column.name))

    def _said(self, column: MaskColumn) -> Rule | None:
        for table in dict.fromkeys((column.table, column.of)):
            for name in (column.name, EVERY):
                if (rule := self.rules.columns.get(str(ColumnName(table, name)))) is not None:
                    return rule
        return None

    def _default(self, column: MaskColumn, group: int | None, natural: frozenset[Spot]) -> tuple[Rule, str]:
        number = column.kind == "number"
        if why := self._number_stays(column, natural) if number else self._stays(column, group):
            return "keep", why
        if column.kind == "unknown" or column.divides:
            raise _unmaskable(column)
        if column.kind == "text":
            return _guess(column), ""
        if column.kind == "bytes" and not column.unique and not column.many:
            return ("null" if column.nullable else "empty"), ""
        return FITS[column.kind][0], ""

    def _stays(self, column: MaskColumn, group: int | None) -> str:
        """Why the column may stay as it is; empty when it may not."""
        if column.of.relation in DJANGOS:
            return "Django's own"
        if column.kind == "plain":
            return "a truth value or a word of an enumeration"
        if column.kind == "date":
            return "a key" if column.divides or group is not None else ""
        if column.kind == "uuid":
            return "a key" if column.divides or column.primary or group is not None else ""
        return self._fixed_words(column, group) if column.kind == "text" and not column.many else ""

    def _number_stays(self, column: MaskColumn, natural: frozenset[Spot]) -> str:
        """Why a number is nobody's; empty when it may be somebody's, or if it is unknown how to mask it."""
        if column.of.relation in DJANGOS:
            return "Django's own"
        if str(ColumnName(column.of, column.name)) in self.rules.fixed:
            return "words of the application"
        if self._is_key(column):
            return "" if column.spot in natural or self._divides_people(column) else "a key"
        if promise(column.name):
            return ""
        return self._harmless(column)

    def _is_key(self, column: MaskColumn) -> bool:
        """Primary, or of a foreign key either way; `id` is, too, in a table that says nothing of its keys."""
        if column.primary or any(column.spot in (one.column, one.target) for one in self.catalog.references):
            return True
        own = (one for one in self.catalog.columns if one.spot[0] == column.spot[0])
        return column.name == "id" and not any(one.primary for one in own)

    def _divides_people(self, column: MaskColumn) -> bool:
        """Whether it decides a row's partition, and is no number of the database's own."""
        refers = any(column.spot == one.column for one in self.catalog.references)
        return column.divides and not refers and not column.counted and bool(promise(column.name))

    def _harmless(self, column: MaskColumn) -> str:
        if column.divides:
            return "a key"
        if _is_generic(column, self.catalog):
            return GENERIC
        if column.listed:
            return "a CHECK lists its numbers"
        return "codes that many rows share" if not column.many and self.codes(column) else ""

    def _fixed_words(self, column: MaskColumn, group: int | None) -> str:
        """Why a text is one of the application's own words, and nobody's; empty when it may be somebody's."""
        if str(ColumnName(column.of, column.name)) in self.rules.fixed:
            return "words of the application"
        if column.listed:
            return "a CHECK lists its words"
        short = group is None and not column.unique and column.longest is not None and column.longest <= SHORT_CODE
        may = short and not _TELLING.search(column.name)
        return "codes that many rows share" if may and self.codes(column) else ""

    def _person(self, column: MaskColumn) -> str:
        """The column that names the person of a row: the one that is said, or a reference to a person's table."""
        named = self.rules.persons.get(str(column.of))
        if named is not None:
            return named
        by_spot = {one.spot: one for one in self.catalog.columns}
        for one in self.catalog.references:
            target, own = by_spot.get(one.target), by_spot.get(one.column)
            if not (one.alone and own and target) or one.column[0] != column.spot[0]:
                continue
            if self.rules.persons.get(str(target.of)) == target.name:
                return own.name
        return ""

    def _unknown(self) -> Iterator[str]:
        names = {str(ColumnName(table, name)) for one in self.catalog.columns for table in (one.table, one.of)
                 for name in (one.name, EVERY)}  # fmt: skip
        yield from self.rules.columns.keys() - names
        tables = {str(ColumnName(one.of, one.name)) for one in self.catalog.columns}
        for table, name in self.rules.persons.items():
            if (text := str(ColumnName(TableName.parse(table), name))) not in tables:
                yield text


def _guess(column: MaskColumn) -> Rule:
    """The kind of text that a column's name promises."""
    found: tuple[tuple[re.Pattern[str], Rule], ...] = ((_EMAIL, "email"), (_PHONE, "phone"), (_NAME, "name"))
    return next((rule for pattern, rule in found if pattern.search(column.name)), "text")


def promise(name: str) -> Promise:
    """What the name of a number's column says of it."""
    words = _HUMP.sub("_", name).lower()
    if _IDENTITY.search(words):
        return "identity"
    return "measure" if _MEASURE.search(words) else ""


def _is_generic(column: MaskColumn, catalog: MaskCatalog) -> bool:
    """Whether it is the number of a row whose table the same row names: `object_id` beside `content_type_id`."""
    by_spot = {one.spot: one for one in catalog.columns}
    for one in catalog.references:
        kind, target = by_spot.get(one.column), by_spot.get(one.target)
        if one.column[0] != column.spot[0] or not kind or not target or target.of.relation != "django_content_type":
            continue
        before = re.sub(r"(?:content_)?(?:type|ct)_id$", "", kind.name)
        if column.name in (f"{before}object_id", f"{before}object_pk", f"{before}id"):
            return True
    return False


def _natural(catalog: MaskCatalog, groups: Mapping[Spot, int]) -> frozenset[Spot]:
    """Numbers that are keys and tell who somebody is, with all that refer to them: no sequence makes them."""
    refer, referred = {one.column for one in catalog.references}, {one.target for one in catalog.references}
    kept: set[int | Spot] = set()
    telling: set[int | Spot] = set()
    for one in catalog.columns:
        values = groups.get(one.spot, one.spot)
        if one.counted or one.divides or one.kind != "number":
            kept.add(values)
        elif one.spot not in refer and (one.primary or one.spot in referred) and promise(one.name):
            telling.add(values)
    return frozenset(one.spot for one in catalog.columns if groups.get(one.spot, one.spot) in telling - kept)


def _require_generic(columns: Sequence[PlannedMask], catalog: MaskCatalog) -> None:
    """Raises BadInput: numbers of rows stay, and may be those of a key that is masked."""
    refer = {one.column for one in catalog.references}
    masked = (one.column for one in columns if one.rule != "keep" and one.why != SAID and one.column.kind == "number")
    key = next((one for one in masked if one.primary and one.spot not in refer), None)
    names = next((one.column for one in columns if one.why == GENERIC), None)
    if key is None or names is None:
        return
    raise BadInput(
        f"uscdr cannot tell whether {names.words} holds numbers of {key.words}, which are masked.",
        why=f"{key.words} is a key that may tell who somebody is, and a generic relation may name its rows.",
        next_action=f"Add to `masking.columns` in scenarios.yaml: {names.words}: keep (it names other rows), or number",
    )


def _is_encrypted(one: CanaryColumn, column: MaskColumn) -> bool:
    return one.encrypted == column.name and TableName.parse(one.table) in (column.table, column.of)


def _require_fit(column: MaskColumn, rule: Rule) -> None:
    """Raises BadInput."""
    if rule == "null" and not column.nullable:
        raise BadInput(
            f"scenarios.yaml masks {column.words} by `null`, but the column is NOT NULL.",
            next_action=f"Choose another rule for {column.words} in `masking.columns`: {_names(column)}",
        )
    if rule not in FITS[column.kind]:
        raise BadInput(
            f"scenarios.yaml masks {column.words} by `{rule}`, which does not fit its type {column.cast}.",
            next_action=f"Choose another rule for {column.words} in `masking.columns`: {_names(column)}",
        )


def _unmaskable(column: MaskColumn) -> BadInput:
    kind = "decides the partition of a row" if column.divides else f"has the type {column.cast}"
    return BadInput(
        f"uscdr knows no safe mask for {column.words}, which {kind}.",
        why="uscdr loads nothing that it cannot mask, unless scenarios.yaml says that it may stay.",
        next_action=f"Add to `masking.columns` in scenarios.yaml: {column.words}: {_names(column).partition(',')[0]}",
    )


def _names(column: MaskColumn) -> str:
    return ", ".join(rule for rule in FITS[column.kind] if rule != "null" or column.nullable)


def _groups(catalog: MaskCatalog) -> dict[Spot, int]:
    """Columns that hold the same values, by foreign keys: each gets the number of its group."""
    above = dict[int, int]()
    numbers: dict[Spot, int] = {}

    def number(spot: Spot) -> int:
        found = numbers.setdefault(spot, len(numbers))
        above.setdefault(found, found)
        return found

    def top(one: int) -> int:
        while above[one] != one:
            one = above[one]
        return one

    for pair in catalog.references:
        above[top(number(pair.column))] = top(number(pair.target))
    roots: dict[tuple[str, str], int] = {}
    for column in catalog.columns:
        if column.spot in numbers or column.unique:  # the partitions of a table have one set of values
            one = number(column.spot)
            first = roots.setdefault((str(column.of), column.name), one)
            above[top(one)] = top(first)
    return {spot: top(one) for spot, one in numbers.items() if _shared(spot, catalog)}


def _shared(spot: Spot, catalog: MaskCatalog) -> bool:
    """Whether the column is one of a foreign key, or is a text or a number that must stay unique."""
    column = next((one for one in catalog.columns if one.spot == spot), None)
    if column is None:
        return False
    refers = any(spot in (pair.column, pair.target) for pair in catalog.references)
    return refers or (column.kind in ("text", "number") and column.unique and not column.many)


def _agreed(decided: Sequence[PlannedMask]) -> Iterator[PlannedMask]:
    """One rule for each group: what scenarios.yaml says of one of its columns, else that of its unique column."""
    leaders: dict[int | None, PlannedMask] = {}
    for one in sorted(decided, key=lambda one: (one.why != SAID, not one.column.unique)):
        leaders.setdefault(one.group, one)
    for one in decided:
        leader = leaders[one.group]
        follows = one.group is not None and (leader.why == SAID or one.column.kind == "text")
        yield replace(one, rule=leader.rule, why=leader.why) if follows else one
