A key that gets a 401 or 429 is set aside for its `Retry-After` where a project has several for an API; `balance: {keys: round_robin}` or `least_used` takes them in turns.
