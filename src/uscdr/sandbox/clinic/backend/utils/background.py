"""A process that ticks until it is told to stop, and outlives the loss of its database."""

import logging
import signal
import threading

from django.db import Error, connection

log = logging.getLogger(__name__)


class Stopped(KeyboardInterrupt):
    """SIGTERM or SIGINT: like Ctrl-C, so that psycopg cancels a statement that waits for a lock."""


def run(tick, *, seconds, at_once=True):
    """Call `tick` every `seconds` until a signal comes; the first time at once or after `seconds`."""
    pause, told = threading.Event(), False

    def stop(*_signal):
        nonlocal told
        told = True  # Python drops what is raised while it takes an object apart: the signal must not be lost with it
        raise Stopped

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        if not at_once:
            pause.wait(seconds)
        while not told:
            attempt(tick)
            if not told:
                pause.wait(seconds)
    except Stopped:
        pass
    log.info("stopped")


def attempt(tick):
    """Tick once; a lost or half-restored database is reported and tried again with a new connection."""
    try:
        tick()
    except Error as error:
        log.error("database: %s", str(error).strip().split("\n")[0])  # noqa: TRY400 - one line a try
        connection.close()
    except ConnectionError as error:
        log.error("broker: %s", error)  # noqa: TRY400 - one line a try
