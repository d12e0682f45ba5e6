"""Encrypted copies of a few columns, made and read by pgcrypto with the configured key."""

from django.conf import settings
from django.db import connection

# One hash round: the key is random and long, so stretching it would only cost time.
OPTIONS = "cipher-algo=aes256, s2k-mode=1"


def available():
    """Tell whether there is a key and a database that can use it."""
    return bool(settings.PGP_ENCRYPTION_KEY) and connection.vendor == "postgresql"


def fill(table, names, *, first_id=0):
    """Encrypt each named column into `<name>_enc` for rows from `first_id` on; return the rows changed.

    Without a key nothing is written, and nobody is told: as in the original.
    """
    if not available():
        return 0
    values, parameters = expressions(names)
    quote = connection.ops.quote_name
    changes = [f"{quote(name + '_enc')} = {value}" for name, value in zip(names, values, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {quote(table)} SET {', '.join(changes)} WHERE id >= %s",  # noqa: S608 - names come from the models
            [*parameters, first_id],
        )
        return cursor.rowcount


def expressions(names):
    """Return one SQL expression a column and the parameters of them all; empty text stays NULL."""
    quote = connection.ops.quote_name
    values = [f"pgp_sym_encrypt(NULLIF({quote(name)}, ''), %s, %s)" for name in names]
    return values, [settings.PGP_ENCRYPTION_KEY, OPTIONS] * len(names)


def decrypt(table, name, row_id):
    """Return the decrypted text of one row, or None when it was never encrypted.

    Raises:
        django.db.DataError: the key is wrong ("Wrong key or corrupt data").
    """
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT pgp_sym_decrypt({quote(name + '_enc')}, %s) FROM {quote(table)} WHERE id = %s",  # noqa: S608 - names come from the models
            [settings.PGP_ENCRYPTION_KEY, row_id],
        )
        row = cursor.fetchone()
    return row[0] if row else None
