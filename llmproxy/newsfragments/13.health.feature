`health: {path: /health}` of an upstream checks it at an interval, with the thresholds of Envoy's active health checks ([upstreams.md](docs/upstreams.md#active-health-checks)).
