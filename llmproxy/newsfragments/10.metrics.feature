With `--manage-listen`, `/metrics` is served there and no longer at the public listeners; `METRICS_TOKEN` (`METRICS_TOKEN_FILE`) has it ask for a bearer.
