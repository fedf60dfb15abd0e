`meter: {usage_trailer: true}` tells clients what an answer has used in a trailer, `X-LLMProxy-Usage`, behind answers in chunks and over HTTP/2 ([usage.md](docs/usage.md)).
