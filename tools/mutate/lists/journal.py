"""The journal: written, read, listed; the lock of a target; files."""

from __future__ import annotations

from tools.mutate.lists import rooms

_ROOM = "tests/unit/journal"
_CHAIN, _LOCK, _RUNS = (f"{_ROOM}/test_{one}.py" for one in ("chain", "lock", "runs"))
_UNREADABLE = f"{_ROOM}/test_unreadable_runs.py"
_FILES, _TEAM = "tests/unit/test_files.py", "tests/unit/team/test_two_histories.py"

_line = rooms.of("journal", _CHAIN, _ROOM)
_list = rooms.of("runs", _RUNS, _UNREADABLE, _ROOM)
_lock = rooms.of("lock", _LOCK, _ROOM)
_file = rooms.of("files", _FILES, _CHAIN, _LOCK)

JOURNAL = (
    _line(
        "sync",
        "view = view[os.write(self._descriptor, view) :]\nos.fsync(self._descriptor)",
        "view = view[os.write(self._descriptor, view) :]",
        "a line is not made durable",
    ),
    _line(
        "names-synced",
        "sync(self.path.parent)  # the file's name and its directory's name must survive a power cut too",
        "self.path.parent.exists()",
        "the name of a journal is not made durable",
    ),
    _line(
        "directory-synced",
        "sync(self.path.parent.parent)",
        "self.path.parent.exists()",
        "the name of a run's directory is not made durable",
    ),
    _line(
        "short",
        "while view:\nview = view[os.write(self._descriptor, view) :]",
        "os.write(self._descriptor, view)",
        "a short write is taken for a whole one",
    ),
    _line("broken", "self._broken = True", "self._broken = False", "a journal that failed is written on"),
    _line("tail", "self._drop_tail()\nraise", "raise", "half a line stays after a failed write"),
    _line("again", "if os.path.lexists(path):", "if not path:", "a journal is begun a second time"),
    _line(
        "cut",
        "os.ftruncate(descriptor, journal.good_bytes)",
        "os.fstat(descriptor)",
        "a torn line stays before the next one",
    ),
    _line("chain", "self._previous = line_hash(line)", "self._previous = self._previous", "lines are not chained"),
    _line(
        "reopened",
        "return JournalWriter(descriptor, path, journal.last_hash, journal.good_bytes), journal",
        "return JournalWriter(descriptor, path, FIRST, journal.good_bytes), journal",
        "a reopened journal begins a new chain",
    ),
    _line("good-bytes", "self._good_bytes += len(line)", "line.strip()", "a failed write cuts off what was good"),
    _line(
        "hash", 'if record.get("prev") != previous:', 'if record.get("prev") is None:', "a changed line is not noticed"
    ),
    _line(
        "number", 'if record.get("seq") != number - 1:', 'if record.get("seq") is None:', "a lost line is not noticed"
    ),
    _line(
        "sum",
        'ending is not None and int(ending["sum"], 16) == zlib.crc32(line[: ending.start()])',
        "ending is not None",
        "damage of the last line is not noticed",
    ),
    _line(
        "other-run",
        "if found.run != path.parent.name:",
        "if not found.run:",
        "a journal of another run is read",
        _UNREADABLE,
    ),
    _line(
        "first",
        '(number == 1) != (found.event.kind == "run.started")',
        '(number == 1) < (found.event.kind == "run.started")',
        "a journal without its beginning is whole",
    ),
    _line("line-end", "if is_whole(data[end:-1]):", "if not data:", "an overwritten end of a line is called torn"),
    _line(
        "strict",
        "Stamped.model_validate_json(clean, strict=True)",
        "Stamped.model_validate_json(clean, strict=False)",
        "a number written as text is read",
    ),
    _line(
        "damage",
        "if found.damage is not None:\nraise found.damage\nreturn found.journal",
        "return found.journal",
        "what stands before a damage counts as the whole journal",
    ),
)

RUNS = (
    _list(
        "taken-up",
        "return not own or not shared.startswith(own) or TAKEN_UP in shared[len(own) :]",
        "return not own or not shared.startswith(own)",
        "a run that another machine took up counts as ours",
        _TEAM,
    ),
    _list(
        "own-longer",
        "if own.startswith(shared):\nreturn False",
        "if own == shared:\n    return False",
        "lines that the team lacks make a run another's",
        _TEAM,
    ),
    _list(
        "over",
        'summary.state not in (*OVER, "dry run", DAMAGED)',
        'summary.state not in ("dry run", DAMAGED)',
        "a finished run can be resumed",
    ),
    _list(
        "dry-run",
        'summary.state not in (*OVER, "dry run", DAMAGED)',
        "summary.state not in (*OVER, DAMAGED)",
        "a dry run can be resumed",
    ),
    _list(
        "dry-run-cut",
        'or (events and asked(events).get("dry_run") is True)',
        "or not events",
        "a dry run that was killed early is a run to resume",
    ),
    _list(
        "whole",
        'ended >= {step["id"] for step in plans[-1]["steps"]}',
        "bool(ended)",
        "a run that failed halfway only missed its objective",
    ),
    _list(
        "damaged-wrote",
        "return replace(known, state=DAMAGED, wrote=not harmless)",
        "return replace(known, state=DAMAGED, wrote=False)",
        "a run that cannot be read changed nothing",
    ),
    _list(
        "damaged",
        "return replace(known, state=DAMAGED, wrote=not harmless)",
        "return known",
        "a damaged journal is listed as a whole one",
    ),
    _list(
        "of-others",
        "elif is_copy(path) and not of_others:",
        "elif is_copy(path) and of_others:",
        "another machine's run is resumed unasked",
        "tests/unit/team",
    ),
    _list(
        "wrote",
        'any(event["effect"] in WRITE_EFFECTS for event in begun)',
        'all(event["effect"] in WRITE_EFFECTS for event in begun)',
        "a run that looked and wrote changed nothing",
    ),
    _list("followed", "over.add(what)", "what[0].strip()", "a run that a finished one followed is taken up"),
    _list("several", "if len(matches) != 1:", "if not matches:", "of several runs that match the first is taken"),
    _list(
        "unlistable",
        "return sorted(entry.name for entry in place.iterdir())\nexcept FileNotFoundError:",
        "return sorted(entry.name for entry in place.iterdir())\nexcept OSError:",
        "runs that nobody may list are none",
    ),
    _list(
        "untouched-first",
        "if touches and summary.wrote:\nreturn path",
        "if touches:\n    return path",
        "a run that changed nothing comes before one that did",
    ),
)

LOCK = (
    _lock(
        "taken",
        "if not won and not _won_late(descriptor, path):",
        "if not won and _won_late(descriptor, path):",
        "who does not get the lock works on",
    ),
    _lock(
        "elsewhere",
        "if holder and not _of_this_machine(holder):",
        "if holder and not holder.host:",
        "a holder on another machine is presumed dead",
    ),
    _lock(
        "kernel",
        'return holder.host == os.uname().nodename or (holder.boot != "" and holder.boot == boot())',
        "return holder.host == os.uname().nodename",
        "a dead holder of this kernel under another name holds for ever",
    ),
    _lock(
        "boot",
        'return holder.host == os.uname().nodename or (holder.boot != "" and holder.boot == boot())',
        'return holder.host == os.uname().nodename or holder.boot != ""',
        "a holder on any machine that has a kernel is dead",
    ),
    _lock(
        "file-gone",
        'if is_at(self._descriptor, self._path):\nreturn ""\nself._take_again()',
        'return ""',
        "the holder does not notice that its lock file is another",
    ),
    _lock(
        "taken-again",
        "if won and self._presence.keeps_others_out and not _read(descriptor) and is_at(descriptor, self._path):",
        "if won and not _read(descriptor) and is_at(descriptor, self._path):",
        "a lock that another may have had meanwhile is taken again",
    ),
    _lock(
        "another-had-it",
        "if won and self._presence.keeps_others_out and not _read(descriptor) and is_at(descriptor, self._path):",
        "if won and self._presence.keeps_others_out and is_at(descriptor, self._path):",
        "a lock that another has held meanwhile is taken again",
    ),
    _lock(
        "not-won",
        "if won and self._presence.keeps_others_out and not _read(descriptor) and is_at(descriptor, self._path):",
        "if self._presence.keeps_others_out and not (won and _read(descriptor)) and is_at(descriptor, self._path):",
        "a lock that another has is taken again",
    ),
    _lock(
        "released",
        'if is_at(self._descriptor, self._path):\n_write(self._descriptor, self._path, b"")',
        "if not self._path:\n    pass",
        "a lock that was let go of still names its holder",
    ),
    _lock(
        "late",
        "return holder.host != os.uname().nodename or not is_gone(holder.pid)",
        "return True",
        "who died holding it is named as the one at work",
    ),
    _lock(
        "alone",
        "hidden = () if alone else _hidden(descriptor, own)",
        "hidden = () if alone or own else _hidden(descriptor, own)",
        "a holder whose lock file was deleted is not noticed",
    ),
    _lock(
        "joined",
        "fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)",
        "descriptor.bit_length()",
        "nobody hears of a holder whose lock file was deleted",
    ),
    _lock(
        "named",
        'return () if named else ("another process",)',
        "return ()",
        "where the system does not tell who works there, nobody does",
    ),
    _lock(
        "others",
        'return tuple(f"process {pid}" for pid in sorted(seen - named))',
        'return tuple(f"process {pid}" for pid in sorted(seen - named)) if not named else ()',
        "work on another target hides whose lock file is gone",
    ),
    _lock(
        "half-named",
        "except (OSError, ValueError, TypeError, KeyError):\nreturn 0",
        "except (OSError, ValueError, TypeError, KeyError):\n    return None",
        "a holder that has not written its name yet is none",
        survives="",
    ),
)

FILES = (
    _file(
        "exclusive",
        "fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)",
        "two have one lock",
    ),
    _file(
        "link",
        "os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK",
        "os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK",
        "a lock file that is a link is written through",
    ),
    _file(
        "pipe",
        "if not stat.S_ISREG(os.fstat(descriptor).st_mode):",
        "if not os.fstat(descriptor).st_mode:",
        "a lock file that is a pipe is a lock",
    ),
    _file(
        "same",
        "return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)",
        "return bool(mine.st_ino and there.st_ino)",
        "a replaced file is taken for the same",
    ),
    _file("private", "PRIVATE_FILE = 0o600", "PRIVATE_FILE = 0o644", "everybody reads the journal"),
    _file(
        "private-directory",
        "PRIVATE_DIRECTORY = 0o700",
        "PRIVATE_DIRECTORY = 0o755",
        "everybody looks into the state directory",
    ),
    _file(
        "synced",
        "yield file\nfile.flush()\nos.fsync(file.fileno())",
        "yield file\nfile.flush()",
        "a file that is put in place whole is not made durable",
    ),
    _file(
        "name-synced",
        "draft.replace(path)\nsync(path.parent)",
        "draft.replace(path)",
        "the name of a file that is put in place is not made durable",
    ),
    _file(
        "unasked-copy",
        "(remove_tree if _is_copy(left) else gone)(left)",
        "gone(left)",
        "what the original of a copied state directory noted elsewhere is removed",
    ),
    _file(
        "in-use",
        "if try_lock(descriptor):\n(remove_tree",
        "if try_lock(descriptor) or left:\n    (remove_tree",
        "a directory that a living process uses is removed",
    ),
)

ALL = (*JOURNAL, *RUNS, *LOCK, *FILES)
