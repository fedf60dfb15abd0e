Machines that share PostgreSQL or MySQL and no Redis hold budgets together, by leases in the database (`budget_leases`).
