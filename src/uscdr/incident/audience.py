"""Whom an incident tells: a list kept outside of the application, encrypted to those who can open kits.

Beside the list lies a plain header with date and counts only, so that its age is known without a key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import secrets
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationError

from uscdr.errors import BadInput, CheckFailed
from uscdr.files import PRIVATE_DIRECTORY, disk_errors, whole, write_whole
from uscdr.incident.private_words import digests_of
from uscdr.models.addresses import mail_address, same_mailbox
from uscdr.models.base import REVEAL, Count, Fact, Moment, RevealableSecret, elapsed
from uscdr.scenarios.config_channels import GROUPS, Group
from uscdr.settings import Directories
from uscdr.store.encryption import WrongIdentity, seal, unseal
from uscdr.words import DAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from uscdr.store.encryption import Identity, Recipient

LIST, HEADER = "audience.age", "audience.json"
"""The names of the two files."""
STALE = 31 * DAY
"""Seconds after which a list is said to be old: people joined and left meanwhile."""
IMPORT = "uscdr incident audience import"
_LARGEST = 1 << 26
_KEY, _DIGITS, _WORD_DIGITS = 32, 16, 12
_AGAIN = f"Free disk space, or make the configuration directory writable. Then run: {IMPORT}"


def _one_line(text: str) -> str:
    """The text, if it has no control characters. Raises ValueError."""
    if not text.isprintable():
        raise ValueError("control characters")
    return text


class Person(Fact):
    """One recipient in one group."""

    group: Group
    address: Annotated[str, AfterValidator(mail_address), Field(repr=False)]
    name: Annotated[str, AfterValidator(_one_line), Field(repr=False, max_length=200)] = ""
    role: Annotated[str, AfterValidator(_one_line), Field(max_length=200)] = ""

    @property
    def mailbox(self) -> str:
        """The same for every spelling of the address."""
        return same_mailbox(self.address)


def _whole_key(key: SecretStr) -> SecretStr:
    """The key, if it is one. Raises ValueError."""
    if len(base64.b64decode(key.get_secret_value(), validate=True)) != _KEY:
        raise ValueError("a key has 32 bytes")
    return key


class Audience(Fact):
    """The list of recipients. `key`: 32 random bytes in base64, for digests of addresses in receipts."""

    version: Literal[1] = 1
    key: Annotated[RevealableSecret, AfterValidator(_whole_key)]
    imported_at: Moment
    source: str
    """Where the list came from, in words: `database` or `file`."""
    people: Annotated[tuple[Person, ...], Field(repr=False)] = ()
    private: Annotated[tuple[str, ...], Field(repr=False)] = ()
    """Keyed digests of names and other words that the application has of persons: no notice may have them."""

    @classmethod
    def of(cls, people: Iterable[Person], source: str, at: datetime, key: SecretStr | None = None) -> Self:
        """A list without duplicates within a group; a new key unless one is given."""
        once: dict[tuple[str, str], Person] = {}
        for one in people:
            once.setdefault((one.group, one.mailbox), one)
        ordered = sorted(once.values(), key=lambda one: GROUPS.index(one.group))
        return cls(key=key or _new_key(), imported_at=at, source=source, people=tuple(ordered))

    def counts(self) -> dict[Group, int]:
        """How many people are in each group."""
        found = Counter(one.group for one in self.people)
        return {group: found[group] for group in GROUPS}

    def recipients(self, *groups: Group) -> tuple[Person, ...]:
        """Everybody in these groups, each mailbox once."""
        once: dict[str, Person] = {}
        for one in self.people:
            if one.group in groups:
                once.setdefault(one.mailbox, one)
        return tuple(once.values())

    def digest(self, address: str) -> str:
        """16 hex digits that stand for an address in receipts: HMAC-SHA256 with this list's key, any spelling."""
        key = base64.b64decode(self.key.get_secret_value())
        return hmac.new(key, same_mailbox(address).encode(), hashlib.sha256).hexdigest()[:_DIGITS]

    def word_digest(self, phrase: str) -> str:
        """12 hex digits that stand for a phrase in lower case."""
        key = base64.b64decode(self.key.get_secret_value())
        return hmac.new(key, f"word {phrase}".encode(), hashlib.sha256).hexdigest()[:_WORD_DIGITS]

    def is_private(self, phrase: str) -> bool:
        """Whether the application has this phrase of a person."""
        return self.word_digest(phrase) in self._known_words

    @cached_property
    def _known_words(self) -> frozenset[str]:
        return frozenset(self.private)

    def with_private(self, values: Iterable[str]) -> Self:
        """The same list that knows these values of persons."""
        return self.model_copy(update={"private": digests_of(values, self.word_digest)})

    @property
    def key_id(self) -> str:
        """8 hex digits that tell two keys apart: digests of different keys cannot be compared."""
        return hashlib.sha256(base64.b64decode(self.key.get_secret_value())).hexdigest()[:8]

    def with_groups(self, people: Sequence[Person], groups: Iterable[Group]) -> Audience:
        """The same list with `people` instead of those in `groups`."""
        replaced = set(groups)
        kept = [one for one in self.people if one.group not in replaced]
        made = Audience.of([*kept, *people], self.source, self.imported_at, self.key)
        return made.model_copy(update={"private": self.private})


class AudienceHeader(Fact):
    """What may be read without a key: date and counts."""

    version: Literal[1] = 1
    imported_at: Moment
    source: str
    counts: dict[Group, Count]
    key_id: str
    sha256: str
    """Of the encrypted list: another one's header says nothing."""

    def is_stale(self, now: datetime) -> bool:
        """Whether the list is older than `STALE`."""
        return elapsed(self.imported_at, now) > STALE


@dataclass(frozen=True)
class AudienceFiles:
    """The list and its header in one directory."""

    directory: Path

    @classmethod
    def of(cls, state: Path, env: Mapping[str, str], *, sandbox: bool) -> Self:
        """Those of this user; a sandbox has its own in its state directory: its people are invented."""
        return cls(state / "sandbox-audience" if sandbox else Directories(env).config)

    @property
    def path(self) -> Path:
        """The encrypted list."""
        return self.directory / LIST

    @property
    def present(self) -> bool:
        """Whether there is a list."""
        return self.path.is_file()

    def write(self, audience: Audience, to: Sequence[Recipient]) -> None:
        """Encrypt the list, and replace it and its header, each atomically. Raises MachineError."""
        sealed = io.BytesIO()
        seal(io.BytesIO(audience.model_dump_json(context=REVEAL).encode()), sealed, to)
        self.keep(sealed.getvalue(), audience)

    def keep(self, sealed: bytes, audience: Audience) -> None:
        """Write a list that is encrypted already, and its header. Raises MachineError."""
        header = AudienceHeader(
            imported_at=audience.imported_at, source=audience.source, counts=audience.counts(),
            key_id=audience.key_id, sha256=hashlib.sha256(sealed).hexdigest(),
        )  # fmt: skip
        with disk_errors(f"uscdr cannot use the directory {self.directory}.", _AGAIN):
            self.directory.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        write_whole(self.path, sealed, _AGAIN)
        write_whole(self.directory / HEADER, header.model_dump_json(indent=1).encode() + b"\n", _AGAIN)

    def header(self) -> AudienceHeader | None:
        """The header of the list; None where there is none, or it is not the list's."""
        try:
            header = AudienceHeader.model_validate_json(whole(self.directory / HEADER, _LARGEST))
            listed = hashlib.sha256(whole(self.path, _LARGEST)).hexdigest()
        except (OSError, ValidationError):
            return None
        return header if header.sha256 == listed else None

    def read(self, keys: Sequence[Identity]) -> Audience:
        """Decrypt the list. Raises BadInput (none there, another key), CheckFailed (damaged)."""
        try:
            sealed = whole(self.path, _LARGEST)
        except FileNotFoundError:
            raise BadInput(
                f"There is no list of recipients in {self.directory}.",
                next_action=f"While the application works, run: {IMPORT}. Or get it from a kit: {IMPORT} --kit newest",
            ) from None
        except OSError as error:
            raise BadInput(f"uscdr cannot read {self.path}.", why=error.strerror or type(error).__name__) from None
        return opened(sealed, keys, str(self.path))


def opened(sealed: bytes, keys: Sequence[Identity], name: str) -> Audience:
    """Decrypt a list; `name` is for messages. Raises BadInput (another key) and CheckFailed (damaged)."""
    plain = io.BytesIO()
    try:
        unseal(io.BytesIO(sealed), plain, keys)
        return Audience.model_validate_json(plain.getvalue())
    except WrongIdentity:
        raise WrongIdentity(
            "The identity does not decrypt the list of recipients.",
            next_action="Pass the identity of somebody it was encrypted to: --identity FILE",
        ) from None
    except ValidationError:  # its words would quote addresses
        raise CheckFailed(
            f"{name} is not a list of recipients that this version of uscdr can read.",
            next_action=f"Import it again: {IMPORT}",
        ) from None


def _new_key() -> SecretStr:
    return SecretStr(base64.b64encode(secrets.token_bytes(_KEY)).decode())


# Reads a list from text: one address a line, or CSV with a header.


@dataclass(frozen=True)
class Gathered:
    """People from a file or a database, and how many entries were no usable address (with lines, if it is a file)."""

    people: tuple[Person, ...]
    unusable: int = 0
    lines: tuple[int, ...] = ()
    private: tuple[str, ...] = field(default=(), repr=False)
    """Values of persons from the database: only digests of them are kept."""

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups that have people, in the usual order."""
        return tuple(group for group in GROUPS if any(one.group == group for one in self.people))

    @classmethod
    def of_addresses(cls, addresses: Iterable[object], group: Group) -> Self:
        """From addresses alone."""
        people, unusable = [], 0
        for one in addresses:
            try:
                people.append(Person(group=group, address=str(one)))
            except ValidationError:
                unusable += 1
        return cls(tuple(people), unusable)

    @classmethod
    def of_text(cls, text: str, group: Group) -> Self:
        """From a CSV whose header names `address` (or `email`), and perhaps `name`, `role` and `group`; or from lines.

        Empty lines and lines that begin with # are ignored. Rows without a group belong to `group`.
        """
        rows = list(_rows(text))
        names = [cell.strip().lower() for cell in rows[0][1]] if rows else []
        if "address" not in names and "email" not in names:
            names, entries = ["address"], rows
        else:
            entries = rows[1:]
        people, lines = [], []
        for number, row in entries:
            try:
                people.append(_person(dict(zip(names, row, strict=False)), group, alone=len(row) <= len(names)))
            except ValueError:
                lines.append(number)
        return cls(tuple(people), len(lines), tuple(lines))


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV with their lines. Raises BadInput for what is none."""
    import csv

    numbered = enumerate(text.removeprefix("\ufeff").splitlines(), start=1)
    wanted = [(number, line) for number, line in numbered if line.strip() and not line.lstrip().startswith("#")]
    reader = csv.reader(line for _, line in wanted)
    try:
        for row in reader:
            yield wanted[reader.line_num - 1][0], row
    except csv.Error:
        raise BadInput(
            "The file is neither a list of addresses nor a CSV that uscdr can read.",
            next_action="Write one address on each line, or a CSV with the header address,name,role,group.",
        ) from None


def _person(cells: Mapping[str, str], group: Group, *, alone: bool) -> Person:
    """Raises ValueError (pydantic's is one)."""
    if not alone:
        raise ValueError("more cells than the header has")
    known = {name: cells.get(name, "").strip() for name in ("name", "role", "group")}
    found = known["group"] or group
    return Person.model_validate(
        {"group": found, "address": cells.get("address") or cells.get("email") or "", "name": known["name"],
         "role": known["role"]}
    )  # fmt: skip
