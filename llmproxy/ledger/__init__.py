"""The ledger on disk: what outlives the process of every exchange, until the database has it."""
