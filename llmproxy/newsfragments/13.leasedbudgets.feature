Processes that share a database and no Redis, on one machine or several, hold budgets together, by leases in the database (`budget_leases`); a kill loses nothing of them.
