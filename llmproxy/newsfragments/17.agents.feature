`agents` in the configuration has what coding agents ask of a gateway: models and managed settings by group, their telemetry as events of
the kinds `agent.metrics`, `agent.logs` and `agent.traces`, and `GET /protocol`; see docs/coding-agents.md.
