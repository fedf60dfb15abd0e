`/metrics` has `llmproxy_budget_warnings_total{share,per}`, and `llmproxy_limits_decided_alone_total` without Redis too.
