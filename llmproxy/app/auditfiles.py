"""The audit file of a database where nobody says one, with an eye on what earlier releases used for all of them."""

from __future__ import annotations

import os

from ..core.audit.chain import linked_of_line
from ..core.audit.filename import file_of
from ..core.audit.settings import DEFAULT_FILE

_MAX_LINE = 1024 * 1024


def audit_file_of(database_url: str, usual_database: str) -> str:
    """
    The file that a proxy writes and C{audit verify} reads. A L{DEFAULT_FILE} that this database has anchored goes on
    being used; no other proxy's is.

    It asks the database only if there is such a file, and none of the database's own.
    """
    own = file_of(database_url, usual_database)
    if own == DEFAULT_FILE or os.path.exists(own) or not os.path.exists(DEFAULT_FILE):
        return own
    chain = _chain_of(DEFAULT_FILE)
    return DEFAULT_FILE if chain is not None and _is_anchored(database_url, chain) else own


def _chain_of(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            return linked_of_line(file.readline(_MAX_LINE).rstrip(b"\n")).chain
    except (OSError, ValueError):
        return None


def _is_anchored(database_url: str, chain: str) -> bool:
    """A database that cannot be asked is reported when it is opened."""
    from sqlalchemy import inspect, select

    from ..errors import ConfigError
    from ..store.backend import locate
    from ..store.database import FAULTS
    from ..store.schema import audit_chains

    try:
        location = locate(database_url, 1)
    except ConfigError:
        return False
    if location.path is not None and not os.path.exists(location.path):
        return False
    engine = location.engine()
    try:
        with engine.connect() as connection:
            known = inspect(connection).has_table("audit_chains")
            query = select(audit_chains.c.id).where(audit_chains.c.id == chain)
            return known and connection.scalar(query) is not None
    except FAULTS:
        return False
    finally:
        engine.dispose()
