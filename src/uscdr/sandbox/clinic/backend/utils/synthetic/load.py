"""Rows into tables by COPY, and the sequences set after them."""

from django.db import connection

SEQUENCES = (
    "SELECT c.relname, a.attname, pg_get_serial_sequence(quote_ident(c.relname), a.attname)"
    " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
    " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped"
    " AND pg_get_serial_sequence(quote_ident(c.relname), a.attname) IS NOT NULL"
)


def copy(model, columns, rows):
    """Load rows of one table; return how many."""
    quote = connection.ops.quote_name
    names, count = ", ".join(map(quote, columns)), 0
    with connection.cursor() as cursor, cursor.copy(f"COPY {quote(model._meta.db_table)} ({names}) FROM STDIN") as out:
        for row in rows:
            out.write_row(row)
            count += 1
    return count


def set_sequences():
    """Put every sequence at the highest key of its table; an empty table's is left alone."""
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        cursor.execute(SEQUENCES)
        for table, column, sequence in cursor.fetchall():
            cursor.execute(
                f"SELECT setval(%s, max({quote(column)})) FROM {quote(table)} HAVING max({quote(column)}) > 0",  # noqa: S608 - names come from the catalogue
                [sequence],
            )


def analyze():
    """Let the planner know the new sizes."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
