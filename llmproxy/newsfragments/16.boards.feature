Grafana boards (overview, cost, upstreams, cache, runtime, Redis) in `deploy/grafana`, and alert rules of Prometheus in `deploy/prometheus` with a runbook for each.
