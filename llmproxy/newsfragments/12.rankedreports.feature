Reports of more rows than are shown take less time with PostgreSQL, above all of days in another zone: only what decides their order is added up of all of them.
