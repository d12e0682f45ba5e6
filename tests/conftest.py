"""A suite started in the background inherits an ignored Ctrl-C, and so would every process it starts."""

import signal

from campaigns import orphans


def pytest_configure() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    orphans.watch()
