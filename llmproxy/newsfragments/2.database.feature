``DATABASE_URL`` and ``DATABASE_PATH`` name a SQLite file, PostgreSQL or MySQL; its schema is brought up to date at the start, and a wrong ``ENCRYPTION_KEY`` is found there.
