"""One command that leads on, for words that are none: by meaning first, then by spelling.

A command line is taken apart into a verb, an object, values and options; tables say what the first two mean, and the
others are kept as far as the command takes them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from typer.core import TyperGroup

from uscdr.cli.hint_words import (
    ALONE,
    FILLERS,
    GROUPS,
    NEWEST,
    NOTES,
    OBJECTS,
    PAIRS,
    PHRASES,
    TOOLS,
    VERBS,
    WITHIN,
    WORDS,
)  # fmt: skip

_SPELLING = 0.72
"""How alike two words must be for one to be the other misspelt."""
_ALIKE_NAMES = 0.6
"""The same where the word can only be one of a few names."""
_BACKUP, _RELEASE = re.compile(r"[ab]\d{1,6}"), re.compile(r"v\d{1,6}")
_STORE, _TARGETS = re.compile(r"\w+://\S+"), frozenset({"production", "staging", "sandbox"})


@dataclass(frozen=True)
class Hint:
    """The command to run, others that may be meant, and a sentence before them."""

    command: str
    others: tuple[str, ...] = ()
    note: str = ""

    def sentence(self) -> str:
        """What the error says as its next action."""
        also = f" (or: {', '.join(f'uscdr {one}' for one in self.others)})" if self.others else ""
        return f"{self.note} Run: uscdr {self.command}{also}".strip()


@dataclass
class _Line:
    """A command line taken apart. `typed`: all words that are no options; `path`: the commands that exist."""

    typed: list[str] = field(default_factory=list)
    path: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    options: list[list[str]] = field(default_factory=list)


def hint(context: Any, arguments: Sequence[str]) -> Hint | None:  # noqa: ANN401 - Click's types are private
    """The best answer to a whole command line whose words name no command; None where nobody can guess."""
    root = context.find_root()
    line = _taken_apart(root, arguments)
    meant = _by_phrase(line)
    if meant is None and not line.words:
        return (
            Hint(completed(root, " ".join(line.path), [], line.options)) if exists(root, " ".join(line.path)) else None
        )
    if meant is None and "help" in line.words:
        return Hint(" ".join(["help", *line.path]))
    meant = meant or _by_words(root, line)
    if meant is None:
        return None
    commands, rest, note = meant
    existing = [one for one in commands if exists(root, one)]
    if not existing:
        return None
    command = completed(root, existing[0], rest, line.options)
    others = () if rest else tuple(completed(root, one, (), ()) for one in existing[1:4])
    return Hint(command, others, note)


def _by_phrase(line: _Line) -> _Meant | None:
    """What the first words mean together."""
    for length in (3, 2, 1):
        phrase, rest = " ".join(line.typed[:length]).lower(), line.typed[length:]
        if phrase in PHRASES and len(line.typed) >= length:
            verb = VERBS.get(line.typed[0].lower().rpartition(":")[2], "")
            return PHRASES[phrase], _values(rest) if not _named(rest) else [], NOTES[verb] if verb == "scale" else ""
    return None


def _by_words(root: Any, line: _Line) -> _Meant | None:  # noqa: ANN401 - Click's types are private
    line = replace(line, words=[one for one in line.words if one.lower() not in FILLERS] or line.words)
    known = bool(_meanings(line.words[0])) or line.words[0].lower() in WORDS
    ways = (_by_meaning, _by_spelling) if known else (_by_spelling, _by_meaning)
    return ways[0](root, line) or ways[1](root, line)


def hint_for_extra(context: Any, words: Sequence[str], arguments: Sequence[str]) -> Hint:  # noqa: ANN401
    """The answer to words behind a command that takes none: its option for such a value, else what they mean."""
    root = context.find_root()
    line = _taken_apart(root, arguments)
    command = " ".join(line.path)
    values = _values(words)
    taken = {name: one for one in path_to(root, command).get_params(root) for name in one.opts}
    if all(_option_for(one, taken) for one in values):
        return Hint(completed(root, command, values, line.options))
    if line.path[0] == "recover":
        if any(_BACKUP.fullmatch(one) for one in values):
            return Hint(completed(root, "backup prove" if "backups" in command else "recover db", values, line.options))
        if any(_RELEASE.fullmatch(one) for one in values):
            return Hint(completed(root, "recover app", values, line.options))
    return Hint(completed(root, command, [], line.options))


def likeliest(word: str, known: Sequence[str]) -> str | None:
    """The one of some names that a word means, else the one that is spelt alike."""
    if "infra" in _meanings(word) and "all" in known:
        return "all"
    meanings = [(one, PAIRS.get(("check", one), "").rpartition(" ")[2]) for one in _meanings(word)]
    meant = next((name for pair in meanings for name in pair if name in known), None)
    return meant or next(iter(get_close_matches(word.lower(), known, 1, _ALIKE_NAMES)), None)


def checked_by(word: str) -> str | None:
    """The command that checks what a word names, where that is no checklist."""
    return next((PAIRS["check", one] for one in _meanings(word) if ("check", one) in PAIRS), None)


def _taken_apart(root: Any, arguments: Sequence[str]) -> _Line:  # noqa: ANN401 - Click's types are private
    """Of `uscdr help COMMAND` the words behind `help`."""
    line, command = _Line(), root.command
    given = list(arguments[1:] if arguments[:1] == ("help",) else arguments)
    if given and given[0].lower() in TOOLS and any(not word.startswith("-") for word in given[1:]):
        line.typed.append(tool := given.pop(0))
        line.words += filter(None, [TOOLS[tool.lower()]])
    rest = iter(given)
    for word in rest:
        line.typed += [] if word.startswith("-") else [word]
        if word.startswith("-") and len(word) > 1:
            valued = "=" not in word and takes_value(root, command, word)
            line.options.append([word, *([next(rest, "")] if valued else [])])
        elif not line.words and isinstance(command, TyperGroup) and (found := command.get_command(root, word)):
            command = found
            line.path.append(word)
        else:
            line.words.append(word)
    return line


def takes_value(root: Any, command: Any, name: str) -> bool:  # noqa: ANN401 - Click's types are private
    """Whether the option takes a value: of this command, else of any recovery."""
    places = [command, *(path_to(root, one) for one in ("recover db", "recover infra", "recover app", "recover media"))]
    for place in places:
        for one in place.get_params(root):
            if name in one.opts:
                return not getattr(one, "is_flag", False)
    return False


_Meant = tuple[Sequence[str], list[str], str]
"""Commands, the words that are left, a note."""


def _by_meaning(root: Any, line: _Line) -> _Meant | None:  # noqa: ANN401 - Click's types are private
    first, *more = line.words
    group = line.path[-1] if line.path else ""
    if not group and (named := _in_number(root, first, more)):
        return (named,), _values(more[1:]), ""
    if [one.lower() for one in more] in (["list"], ["ls"]) and "backup" in _meanings(first):
        return ("backup list",), [], ""
    own = [one for one in WORDS.get(first.lower(), _only_leaf(root, first)) if exists(root, one)]
    if own and not group and not _named(more):
        return own, _values(more), NOTES.get(VERBS.get(first.lower(), ""), "")
    if group and (found := _drilled(root, group, line) or _in_group(root, group, line)) is not None:
        return found
    verbs, things, rest = _sorted_out(line.words)
    if not verbs and not things:
        return _by_value(rest)
    verb, thing = GROUPS.get(group, ("", ""))
    if group == "recover" and verbs and not things:
        thing = "run"
    verb, thing = (verbs or [verb])[0], (things or [thing])[-1]
    return _answer(verb, thing, rest)


def _in_number(root: Any, first: str, more: Sequence[str]) -> str:  # noqa: ANN401 - Click's types are private
    """`run list` means `runs list`, `kits list` means `kit list`; empty if no group with its command is named."""
    names = (f"{first.lower()}s", first.lower().removesuffix("s"))
    known = (f"{name} {more[0].lower()}" for name in names if more and name in GROUPS)
    return next((one for one in known if exists(root, one)), "")


def _only_leaf(root: Any, word: str) -> tuple[str, ...]:  # noqa: ANN401 - Click's types are private
    """The one command of some group that has this name; nothing where several have it."""
    found = [path for path in paths(root) if path.rpartition(" ")[2] == word.lower()]
    return tuple(found) if len(found) == 1 else ()


def _answer(verb: str, thing: str, rest: list[str]) -> _Meant | None:
    if thing and (verb, thing) in PAIRS:
        return (PAIRS[verb, thing],), rest, NOTES["abort"] if (verb, thing) == ("abort", "run") else ""
    if thing and ("", thing) in PAIRS:
        return (PAIRS["", thing], *ALONE.get(verb, ())), rest, ""
    if verb in ALONE:
        return ALONE[verb], rest, NOTES.get(verb, "")
    return _by_value(rest)


def _by_value(rest: list[str]) -> _Meant | None:
    """`uscdr b001` and `uscdr v12`."""
    if any(_BACKUP.fullmatch(one) for one in rest):
        return ("recover db", "backup prove"), rest, ""
    if any(_RELEASE.fullmatch(one) for one in rest):
        return ("recover app",), rest, ""
    return None


def _drilled(root: Any, group: str, line: _Line) -> _Meant | None:  # noqa: ANN401 - Click's types are private
    """`drill run db` is the drill, never the recovery that it rehearses."""
    named = [one for word in line.words[1:] for one in _meanings(word) if exists(root, f"drill {one}")]
    return ((f"drill {named[0]}",), _values(line.words[1:]), "") if group == "drill" and named else None


def _in_group(root: Any, group: str, line: _Line) -> _Meant | None:  # noqa: ANN401 - Click's types are private
    """What the words after a group mean: a pair of the tables, a command of the group, a scenario."""
    first, *more = line.words
    verb, thing = VERBS.get(first.lower(), ""), GROUPS.get(group, ("", ""))[1]
    if verb and thing and (verb, thing) in PAIRS and (group, verb) not in WITHIN and not _named(more):
        return _answer(verb, thing, _values(more))
    for meaning in _meanings(first):
        if meaning == thing and first.lower().endswith("s"):
            return _answer("list", thing, _values(more))
        if (found := WITHIN.get((group, meaning))) is not None:
            return (found,), _values(more), ""
        if group == "recover" and exists(root, f"recover {meaning}"):
            return (f"recover {meaning}",), _values(more), ""
        if (meaning, thing) not in PAIRS and exists(root, f"{group} {meaning}"):
            return (f"{group} {meaning}",), _values(more), ""
    return _by_value(line.words) if group == "recover" else None


def _meanings(word: str) -> list[str]:
    """Objects and verbs that a word may mean; of a compound such as `pg:backups:restore`, those of its parts."""
    text = word.lower()
    if _BACKUP.fullmatch(text) or _RELEASE.fullmatch(text):
        return []
    whole = [table[form] for table in (OBJECTS, VERBS) for form in (text, text.removesuffix("s")) if form in table]
    if whole:
        return list(dict.fromkeys(whole))
    parts = [part for part in re.split(r"[-_:.]", text) if part]
    return [meaning for part in parts for meaning in _meanings(part)] if len(parts) > 1 else []


def _named(words: Sequence[str]) -> bool:
    return any(_meanings(one) for one in words)


def _values(words: Sequence[str]) -> list[str]:
    return [one for one in words if one.lower() not in FILLERS | NEWEST]


def _sorted_out(words: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """Verbs, objects and what is neither. A word that is both is an object if a verb is there, else a verb."""
    verbs: list[str] = []
    things: list[str] = []
    rest: list[str] = []
    for word in words:
        if word.lower() in FILLERS | NEWEST:
            continue
        found = _meanings(word)
        if len(words) > 1 and not verbs and {word.lower()} <= VERBS.keys() & OBJECTS.keys():
            verbs.append(VERBS[word.lower()])
            continue
        objects = [one for one in found if one in OBJECTS.values()]
        things += objects
        verbs += [one for one in found if one not in objects]
        rest += [] if found else [word]
    return verbs, things, rest


def _by_spelling(root: Any, line: _Line) -> _Meant | None:  # noqa: ANN401 - Click's types are private
    """A command of the group that is spelt alike; else a word of the tables that is."""
    group = path_to(root, " ".join(line.path))
    first, *more = line.words
    names = group.list_commands(root) if isinstance(group, TyperGroup) else []
    if close := get_close_matches(first.lower(), names, 1, _SPELLING):
        return (" ".join([*line.path, close[0], *_commands_in(root, [*line.path, close[0]], more)]),), more, ""
    leaves = {path.rpartition(" ")[2]: path for path in reversed([*paths(root)])}
    if first in leaves:
        return (leaves[first],), more, ""
    if close := get_close_matches(first.lower(), [*VERBS, *OBJECTS], 1, 0.8):
        return _by_meaning(root, replace(line, words=[close[0], *more]))
    return None


def _commands_in(root: Any, path: list[str], words: list[str]) -> Iterator[str]:  # noqa: ANN401
    """The words at the beginning of `words` that go on the path; they are taken from it."""
    while words and exists(root, " ".join([*path, words[0]])):
        path = [*path, words.pop(0)]
        yield path[-1]


# ---- commands that exist, and what they take


def path_to(root: Any, command: str) -> Any:  # noqa: ANN401 - Click's types are private
    """The command at the words of `command` before its first option; None if there is none."""
    found = root.command
    for word in command.split(" --", maxsplit=1)[0].split():
        found = found.get_command(root, word) if isinstance(found, TyperGroup) else found
        if found is None:
            return None
    return found


def exists(root: Any, command: str) -> bool:  # noqa: ANN401 - Click's types are private
    """Whether the words name a command, and no group."""
    found, words = root.command, command.split(" --", maxsplit=1)[0].split()
    for place, word in enumerate(words):
        if not isinstance(found, TyperGroup):
            return place > 0  # the others are arguments
        found = found.get_command(root, word)
        if found is None:
            return False
    return not isinstance(found, TyperGroup)


def paths(root: Any, group: Any = None, before: str = "") -> Iterator[str]:  # noqa: ANN401
    """Every command that is no group, as its words."""
    group = group or root.command
    for name in group.list_commands(root):
        found = group.get_command(root, name)
        if isinstance(found, TyperGroup):
            yield from paths(root, found, f"{before}{name} ")
        else:
            yield f"{before}{name}"


def completed(root: Any, command: str, values: Sequence[str], options: Sequence[Sequence[str]]) -> str:  # noqa: ANN401
    """The command with the values and options that were typed, where it takes them, and with what it requires."""
    found = path_to(root, command)
    taken = {name: one for one in found.get_params(root) for name in one.opts}
    words = shlex.split(command)
    arguments = [one for one in found.params if one.param_type_name == "argument"]
    free = [one for one in arguments if one.nargs != -1][len(words[: _first_option(words)]) - _depth(root, command) :]
    open_ended = [one for one in arguments if one.nargs == -1]
    placed: list[str] = []
    for value in values:
        option = _option_for(value, taken)
        if option and option not in words:
            placed += [option, value]
        elif free or (open_ended and len(words) == _depth(root, command) and words[0] != "help"):
            placed.append(value)
            free = free[1:]
    for name, *given in options:
        path = name == "--target" and any("/" in value for value in given)  # restic's --target is a directory
        if name.partition("=")[0] in taken and name not in words and not path:
            placed += [name, *given]
    required = [str(one.metavar) for one in free if one.required]
    for one in found.params:
        if one.param_type_name == "option" and one.required and not set(one.opts) & {*words, *placed}:
            required += [one.opts[-1], str(one.metavar)]
    return shlex.join([*words, *required, *placed])


def _first_option(words: Sequence[str]) -> int:
    return next((place for place, word in enumerate(words) if word.startswith("--")), len(words))


def _depth(root: Any, command: str) -> int:  # noqa: ANN401 - Click's types are private
    """How many words of the command are names of commands."""
    found, depth = root.command, 0
    for word in command.split(" --", maxsplit=1)[0].split():
        if not isinstance(found, TyperGroup):
            break
        found = found.get_command(root, word)
        depth += 1
    return depth


def _option_for(value: str, taken: dict[str, Any]) -> str:
    """The option that takes such a value; empty for an argument."""
    kinds = (
        (_BACKUP.fullmatch(value), "--backup"), (_RELEASE.fullmatch(value), "--release"),
        (_STORE.fullmatch(value), "--to"), (value in _TARGETS, "--target"),
        (re.fullmatch(r"[a-z][a-z0-9-]{2,29}", value), "--app"), (True, "--what"),
    )  # fmt: skip
    return next((name for fits, name in kinds if fits and name in taken), "")
