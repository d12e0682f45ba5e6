"""This process before it does anything: what it inherited from a shell, a terminal or a scheduler is made harmless."""

from __future__ import annotations

import gc
import os
import re
import resource
import signal

from uscdr.ui import outlets

PRIVATE = 0o077
"""All that we make is the operator's alone; a mask that takes the owner's own rights away would lock us out too."""
FILES = 1024
"""Open files and connections that a recovery may need at once."""
PLACES = ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME")
"""Directories of the user. One that is not absolute would be another in each directory: as if it were not set."""
OF_POSTGRES = re.compile("PG[A-Z]+|PGCONNECT_TIMEOUT")
"""What PostgreSQL's client library takes from the environment: where a database is, and how a session begins."""
KEPT = frozenset({"PGPASSWORD", "PGPASSFILE"})
"""For the server of an operator's own whose URL names no password."""
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""What ends a process at once, with its scratch files left behind, unless somebody sees to it."""

SELDOM = (100_000, 20, 20)
"""What is imported stays: to look through it for garbage as often as usual takes a tenth of a short command's time."""

NEEDED = (signal.SIGCHLD, signal.SIGALRM)
"""Where the first is ignored, the exit code of every child is lost and reads as 0; the second guards what is sent."""


def prepare() -> None:
    """Streams, signals, mask and limits. What was to be ignored from the beginning (`nohup`) stays ignored."""
    outlets.install()
    gc.set_threshold(*SELDOM)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")  # looked for in all that is installed; none is ours
    os.umask(PRIVATE)
    for name in PLACES:
        if not os.path.isabs(os.environ.get(name, "/")):  # noqa: PTH117 - a text, perhaps empty
            del os.environ[name]
    _let_addresses_decide()
    _allow_files()
    for number in NEEDED:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (*NEEDED, *ENDING))
    for number in ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)  # as Ctrl-C: tidy up, and say so


def _let_addresses_decide() -> None:
    """A database is where its URL says: a PGHOSTADDR for another would lead ours, with their passwords, there."""
    for name in [one for one in os.environ if OF_POSTGRES.fullmatch(one) and one not in KEPT]:
        del os.environ[name]


def _allow_files() -> None:
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if most == resource.RLIM_INFINITY else min(FILES, most)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
