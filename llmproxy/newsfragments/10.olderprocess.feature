An older process starts on a newer schema that says it may (from schema 0008 on): migrations only add, and the database says which release is the oldest that it takes, see ``docs/databases.md``.
