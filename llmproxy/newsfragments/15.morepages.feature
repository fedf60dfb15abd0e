Pages of usage (any grouping, single records, export), upstreams (health, circuits, drain), the cache (purge), events, the audit log, and settings with admins ([admin.md](docs/admin.md)).
