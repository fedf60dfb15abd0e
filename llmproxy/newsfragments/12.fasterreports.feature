Reports of many rows take a third of the time with SQLite, and less with PostgreSQL: those of hours, days and sessions, in other zones, and of one project or token.
