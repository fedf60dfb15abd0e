`deploy/compose` has the proxy with PostgreSQL, Redis, a dispatcher, the admin pages, Prometheus and Grafana on one machine, its secrets made by a script.
