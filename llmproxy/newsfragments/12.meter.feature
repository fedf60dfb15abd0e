`/metrics` and the access log tell what answers have used: input, cached, output and reasoning tokens, by the model that answered, the same words for every provider ([usage.md](docs/usage.md)).
