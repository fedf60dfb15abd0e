Reports of many rows take a third of the time with SQLite: those of hours, days and sessions, in other zones, and of one project or token.
