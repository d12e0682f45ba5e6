"""The code's migrations in the order in which Django runs them: those behind a database, and those before it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from uscdr.models.migration_files import MigrationFile


class Chain:
    """Files of the code's own applications.

    `done` are all names that count as applied, `pending` those that Django would run. Of a squashed migration and
    those that it replaces only one kind is gone through: the replaced ones while all their files are there.
    """

    def __init__(
        self,
        files: Collection[MigrationFile],
        squashed: Mapping[str, tuple[str, ...]],
        done: Collection[str],
        pending: Collection[str],
    ) -> None:
        names = {one.name for one in files}
        self._squashed = {new: old for new, old in squashed.items() if new in names}
        self._done = _with_replaced(self._squashed, done)
        left_out = set().union(*(self._not_gone_through(new, names, frozenset(pending)) for new in self._squashed))
        self._files = {one.name: one for one in files if one.name not in left_out}
        ordered = list(self._ordered())
        self.behind = tuple(one for one in ordered if one.name in self._done)
        self.to_do = tuple(one for one in ordered if one.name in pending and one.name not in self._done)

    def _not_gone_through(self, new: str, names: Collection[str], pending: frozenset[str]) -> set[str]:
        old = self._squashed[new]
        return set(old) if new in pending or not set(old) <= set(names) else {new}

    def disordered(self) -> tuple[str, ...]:
        """Applied ones whose ground is not applied, and ends of one application that nothing merges."""
        early = [
            f"{one.name} before {ground}"
            for one in self._files.values()
            if one.name in self._done
            for ground in self._grounds(one)
            if ground not in self._done
        ]
        return (*sorted(early), *sorted(self._forks()))

    def _forks(self) -> Iterator[str]:
        unclear = {one.app for one in self._files.values() if not one.understood}
        rested_on = {
            (one.app, ground)
            for one in self._files.values()
            for ground in self._grounds(one)
            if self._files[ground].app == one.app
        }
        for app in {one.app for one in self._files.values()} - unclear:
            mine = sorted(one.name for one in self._files.values() if one.app == app)
            ends = [name for name in mine if (app, name) not in rested_on]
            if len(ends) > 1:
                yield " and ".join(ends)

    def _grounds(self, one: MigrationFile) -> Iterator[str]:
        """What it rests on, among the files that are gone through."""
        for name in one.dependencies:
            if name in self._files:
                yield name
                continue
            stand_ins = self._squashed.get(name, ()) or [new for new, old in self._squashed.items() if name in old]
            yield from (other for other in stand_ins if other in self._files and other != one.name)

    def _ordered(self) -> Iterable[MigrationFile]:
        """Each after all that it rests on, else by name; a circle is left in the order of names."""
        seen: set[str] = set()
        for name in sorted(self._files):
            yield from self._after_grounds(name, seen)

    def _after_grounds(self, name: str, seen: set[str]) -> Iterator[MigrationFile]:
        stack: list[tuple[str, Iterator[str]]] = [(name, iter(()))] if name not in seen else []
        while stack:
            current, grounds = stack.pop()
            if current not in seen:
                seen.add(current)
                grounds = iter(sorted(self._grounds(self._files[current])))
            missing = next((one for one in grounds if one not in seen), None)
            if missing is None:
                yield self._files[current]
            else:
                stack += [(current, grounds), (missing, iter(()))]


def _with_replaced(squashed: Mapping[str, tuple[str, ...]], done: Collection[str]) -> frozenset[str]:
    """A squashed one that is applied stands for those that it replaces; it may itself replace squashed ones."""
    found = frozenset(done)
    while more := {old for new in found for old in squashed.get(new, ())} - found:
        found |= more
    return found
