"""What the platform puts into every database that it sells: a locale, and a schema of its own with event triggers.

They belong to the platform's superuser, and its dumps hold them. Whoever loads such a dump as the owner of a database,
who is no superuser, must leave them out; the platform does so itself when it restores.
"""

from __future__ import annotations

import re
from typing import LiteralString

LOCALE: LiteralString = "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"
"""PostgreSQL's own Unicode locale: it needs neither ICU nor a locale of the machine."""
STATEMENTS: LiteralString = r"""
CREATE SCHEMA _heroku;
CREATE FUNCTION _heroku.create_ext() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
    AS $$ BEGIN NULL; END $$;
CREATE FUNCTION _heroku.drop_ext() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
    AS $$ BEGIN NULL; END $$;
CREATE FUNCTION _heroku.extension_before_drop() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
    AS $$ BEGIN
        IF tg_tag = 'CREATE SCHEMA' AND pg_catalog.current_query() ~* '^\s*create schema _heroku\y'
            AND (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = session_user)
        THEN
            DROP SCHEMA _heroku CASCADE;
        END IF;
    END $$;
CREATE FUNCTION _heroku.validate_extension() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
    AS $$ BEGIN NULL; END $$;
CREATE EVENT TRIGGER extension_before_drop ON ddl_command_start EXECUTE FUNCTION _heroku.extension_before_drop();
CREATE EVENT TRIGGER log_create_ext ON ddl_command_end EXECUTE FUNCTION _heroku.create_ext();
CREATE EVENT TRIGGER log_drop_ext ON sql_drop EXECUTE FUNCTION _heroku.drop_ext();
CREATE EVENT TRIGGER validate_extension ON ddl_command_end EXECUTE FUNCTION _heroku.validate_extension();
"""
"""What a superuser runs in a new database. That they are there is what matters: the functions do nothing.

One thing excepted: a superuser who creates the schema, as a test with objects of its own does, replaces it.
"""
_OWN = re.compile(
    r"^\d+; \d+ \d+ (?:SCHEMA - _heroku |[A-Z ]+ _heroku |(?:COMMENT|ACL) - SCHEMA _heroku "
    r"|EVENT TRIGGER - (?:extension_before_drop|log_create_ext|log_drop_ext|validate_extension) )"
)


def without(listing: str) -> str:
    """A dump's table of contents, as `pg_restore --list` prints it, without what every database has already."""
    return "".join(f"{line}\n" for line in listing.removesuffix("\n").split("\n") if not _OWN.match(line))
