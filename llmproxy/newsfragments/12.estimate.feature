`meter: {estimate: true}` estimates with tiktoken what an answer does not say it has used, off the reactor, marked `estimated`; extra `tiktoken` ([usage.md](docs/usage.md)).
