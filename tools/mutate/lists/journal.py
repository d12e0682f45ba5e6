"""The journal: written, read, listed; the lock of a target; files."""

from __future__ import annotations

from tools.mutate.lists import rooms

_ROOM = "tests/unit/journal"
_CHAIN, _LOCK, _RUNS = (f"{_ROOM}/test_{one}.py" for one in ("chain", "lock", "runs"))
_UNREADABLE = f"{_ROOM}/test_unreadable_runs.py"
_FILES, _TEAM = "tests/unit/test_files.py", "tests/unit/shared/test_two_histories.py"

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
        "sync(self.path.parent)  # the names of the file and of its directory must survive a power failure too",
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
        "return cls(descriptor, path, journal.last_hash, journal.good_bytes), journal",
        "return cls(descriptor, path, FIRST, journal.good_bytes), journal",
        "a reopened journal begins a new chain",
    ),
    _line("good-bytes", "self._good_bytes += len(line)", "line.strip()", "a failed write cuts off what was good"),
    _line(
        "hash", 'if record.get("prev") != previous:', 'if record.get("prev") is None:', "a changed line is not noticed"
    ),
    _line("number", "if seq != self.number - 1:", "if seq is None:", "a lost line is not noticed"),
    _line(
        "sum",
        """return ending == b',"sum":"%08x"}' % zlib.crc32(body)""",
        """return ending.startswith(b',"sum":"') and len(body) > 0""",
        "damage of the last line is not noticed",
    ),
    _line(
        "other-run", "if found.run != place.run:", "if not found.run:", "a journal of another run is read", _UNREADABLE
    ),
    _line(
        "first",
        '(number == 1) != (found.event.kind == "run.started")',
        '(number == 1) < (found.event.kind == "run.started")',
        "a journal without its beginning is whole",
    ),
    _line("line-end", "if is_whole(data[end:-1]):", "if not data:", "an overwritten end of a line is called torn"),
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
        'return holder.host == os.uname().nodename or (holder.boot != "" and holder.boot == _boot())',
        "return holder.host == os.uname().nodename",
        "a dead holder of this kernel under another name holds for ever",
    ),
    _lock(
        "boot",
        'return holder.host == os.uname().nodename or (holder.boot != "" and holder.boot == _boot())',
        'return holder.host == os.uname().nodename or holder.boot != ""',
        "a holder on any machine that has a kernel is dead",
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
)

ALL = (*JOURNAL, *RUNS, *LOCK, *FILES)
