Reports by day and by user, session, program or tag take less time with PostgreSQL: what a sum is of is no longer looked up one by one.
