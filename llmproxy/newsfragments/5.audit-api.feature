`GET /manage/audit` and `/manage/audit/{id}` answer with the audit log: all filters of the reference, numbered pages or cursors, times in any zone, and the same on SQLite, PostgreSQL and MySQL.
