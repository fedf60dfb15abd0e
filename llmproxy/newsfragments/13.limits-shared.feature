Limits of tokens, projects and rules are exact over all workers of a machine, in memory that they share, and budgets go on after a restart.
