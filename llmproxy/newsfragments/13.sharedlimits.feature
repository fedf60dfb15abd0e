Where `redis:` is configured, limits of usage are counted there by all machines; `/metrics` has `llmproxy_limits_…`, `/ready` and `llmproxy check` warn of a Redis that is away or evicts keys.
