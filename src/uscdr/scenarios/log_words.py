"""Meanings and hints of platform codes and Python errors in a log. Source: Heroku Dev Center, "Error Codes"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Words(NamedTuple):
    """What a code means, and where to look."""

    meaning: str
    hint: str


_CRASH = "Find the error that ended it; if it began with a release, roll that back."
_SLOW = "Look for slow queries, locks and dead services; more dynos help only when the database keeps up."
_MEMORY = "Restart the dyno; then fewer workers a dyno, or a larger dyno."
_DATABASE = "Probe the database: reachable, migrated, connections left?"

CODES: Mapping[str, Words] = {
    "H10": Words("The web dyno has crashed; every request fails.", _CRASH),
    "H11": Words("Requests queue up faster than they are answered.", _SLOW),
    "H12": Words("A request took longer than 30 seconds.", _SLOW),
    "H13": Words("The dyno closed the connection without an answer.", "Often a worker that was killed: look for R14."),
    "H14": Words("No web dyno is running.", "Scale web up, unless it was scaled down on purpose."),
    "H15": Words("A connection was idle for 55 seconds.", "Look for requests that wait for another service."),
    "H16": Words("The web dyno sent the visitor to another host than it may.", "Look at the domains of the app."),
    "H17": Words("The dyno's answer was no valid HTTP.", _CRASH),
    "H18": Words("The connection was cut in the middle of an answer.", "Look for killed workers and R14."),
    "H19": Words("The dyno took too long to accept the connection.", _SLOW),
    "H20": Words("A dyno did not boot within 75 seconds.", _CRASH),
    "H21": Words("The dyno refused the connection.", _CRASH),
    "H22": Words("The web dyno has too many connections.", _SLOW),
    "H27": Words("A visitor closed the connection before the answer was ready.", "A sign of slowness, no fault."),
    "H28": Words("A visitor was idle in the middle of a request.", "No fault of the app."),
    "H31": Words("The dyno's connection was given up as misbehaving.", _CRASH),
    "H80": Words("The app is in maintenance mode.", "End it with `heroku maintenance:off` when the app is well."),
    "H81": Words("The app has no code.", "Deploy it: nothing was built or released here yet."),
    "H82": Words("The account's free hours are used up.", "Look at the plan of the dynos."),
    "H83": Words("The platform's planned work holds the app.", "See status.heroku.com and wait."),
    "H99": Words("The platform itself failed.", "See status.heroku.com; nothing in the app mends this."),
    "R10": Words("The web process did not listen on $PORT within 60 seconds of its start.", _CRASH),
    "R11": Words("The dyno was killed for it was too slow to stop.", "Look for work that does not heed SIGTERM."),
    "R12": Words("A process did not stop within 30 seconds.", "Look for work that does not heed SIGTERM."),
    "R13": Words("A one-off dyno could not be attached to.", "Run it again; check that TLS to port 5000 is let out."),
    "R14": Words("A dyno uses more memory than it has; it swaps and slows down.", _MEMORY),
    "R15": Words("A dyno used far more memory than it has and was killed.", _MEMORY),
    "R16": Words("A one-off dyno lost its terminal.", "Run it detached, or over a better connection."),
    "R17": Words("The slug has a wrong checksum.", "Deploy again."),
    "R99": Words("The platform could not run the dyno.", "See status.heroku.com."),
    "L10": Words("Log lines were dropped: the app logs faster than they are taken.", "This log has gaps."),
    "L11": Words("Log lines were dropped before `heroku logs --tail`.", "This log has gaps."),
    "L12": Words("Log lines were dropped in the dyno.", "This log has gaps."),
    "L13": Words("Log lines could not be delivered to a drain.", "Look at the log drain."),
    "L14": Words("A drain's certificate was not accepted.", "Look at the log drain."),
    "L15": Words("A drain's buffer overflowed.", "Look at the log drain."),
    "crashed": Words("A dyno crashed.", _CRASH),
    "worker timeout": Words("A web worker did not finish in time and was killed.", _SLOW),
    "error": Words("An error of Python whose type was not told.", "Read the log itself."),
}
"""By code of the platform, or by our own word for what has none."""

OTHER_CODE = Words("A code of the platform that is not known here.", "See Dev Center, Error Codes.")

ERRORS: Mapping[str, Words] = {
    "OperationalError": Words("The database could not be used.", _DATABASE),
    "InterfaceError": Words("The connection to the database was lost.", _DATABASE),
    "ProgrammingError": Words(
        "A query does not fit the schema.", "Compare the migrations of the code with those applied."
    ),
    "UndefinedTable": Words("A table is missing.", "Compare the migrations of the code with those applied."),
    "UndefinedColumn": Words("A column is missing.", "Compare the migrations of the code with those applied."),
    "IntegrityError": Words("A row breaks a rule of the database.", "Look at constraints and sequences."),
    "InternalError": Words("The database failed inside a transaction.", "Look for a wrong encryption key."),
    "ImproperlyConfigured": Words("A setting is missing or wrong.", "Compare the config variables with the kit."),
    "KeyError": Words("Something looked up is missing, at boot often a variable.", "Compare the config variables."),
    "DisallowedHost": Words("A request came for a hostname that the app does not allow.", "Look at ALLOWED_HOSTS."),
    "ModuleNotFoundError": Words("A library is not in the slug.", "A rebuild took other versions: roll back."),
    "ImportError": Words("A library in the slug does not fit the code.", "A rebuild took other versions: roll back."),
    "SyntaxError": Words("The code cannot be read.", "Roll back."),
    "ConnectionError": Words("Another service could not be reached.", "Look at Redis and the media service."),
    "ConnectionRefusedError": Words("Another service refuses connections.", "Look at Redis and the media service."),
    "MemoryError": Words("A process had no memory left.", _MEMORY),
    "SystemExit": Words("A process ended itself, a web worker after a time-out.", _SLOW),
}
"""By the last part of the type's name."""

OTHER_ERROR = Words("An error of Python.", "Read the log itself around that time; it may hold personal data.")
