"""Rows into tables by COPY, and the sequences set after them."""

from contextlib import contextmanager

from django.db import connection

from utils import encryption

quote = connection.ops.quote_name
FOREIGN_KEYS = (
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE contype = 'f' AND conrelid::regclass::text = ANY(%s) ORDER BY conname"
)


def copy(model, columns, rows):
    """Load rows of one table; return how many."""
    with connection.cursor() as cursor:
        return copy_into(cursor, quote(model._meta.db_table), columns, rows)


def copy_encrypted(model, columns, rows, *, secret):
    """Load rows and fill the `_enc` column of each name in `secret`; without a key those stay empty.

    By way of a temporary table: updating the rows afterwards would write all of them twice.
    """
    if not encryption.available():
        return copy(model, columns, rows)
    table = quote(model._meta.db_table)
    plain, sealed = ", ".join(map(quote, columns)), ", ".join(quote(f"{name}_enc") for name in secret)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE staged (LIKE {table}) ON COMMIT DROP")
        count = copy_into(cursor, "staged", columns, rows)
        values, parameters = encryption.expressions(secret)
        cursor.execute(
            f"INSERT INTO {table} ({plain}, {sealed}) SELECT {plain}, {', '.join(values)} FROM staged",  # noqa: S608 - names come from the models
            parameters,
        )
        cursor.execute("DROP TABLE staged")
        return count


def copy_into(cursor, table, columns, rows):
    """COPY rows into a table whose name is quoted already; return how many."""
    count = 0
    with cursor.copy(f"COPY {table} ({', '.join(map(quote, columns))}) FROM STDIN") as out:
        for row in rows:
            out.write_row(row)
            count += 1
    return count


@contextmanager
def foreign_keys_checked_once(models):
    """Take the foreign keys of the tables away and put them back at the end, which checks them set-wise.

    Row by row the checks of a large load take longer than the load; an owner cannot switch them off.
    """
    tables = [model._meta.db_table for model in models]
    with connection.cursor() as cursor:
        cursor.execute(FOREIGN_KEYS, [tables])
        keys = [(quote(table), quote(name), definition) for table, name, definition in cursor.fetchall()]
        for table, name, _definition in keys:
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    yield
    with connection.cursor() as cursor:
        for table, name, definition in keys:
            cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")


def set_sequences(models):
    """Put the sequence of each table, whose rows were loaded with their keys, at its highest key."""
    with connection.cursor() as cursor:
        for model in models:
            table = model._meta.db_table
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence(%s, 'id'), max(id)) FROM {quote(table)} HAVING max(id) > 0",  # noqa: S608 - names come from the models
                [table],
            )


def analyze():
    """Let the planner know the new sizes."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
