"""The collection of all tables, which every module of tables adds its own to."""

from __future__ import annotations

from sqlalchemy import MetaData

metadata = MetaData()
