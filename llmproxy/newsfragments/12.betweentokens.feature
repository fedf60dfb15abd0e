`/metrics` has `llmproxy_time_between_tokens_seconds{api}`: how long a stream takes for each token behind the first.
