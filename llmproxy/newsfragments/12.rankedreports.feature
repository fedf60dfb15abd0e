Reports of tens of thousands of rows take half as long with PostgreSQL: only what decides their order is added up of all of them, the rest of those that are shown.
