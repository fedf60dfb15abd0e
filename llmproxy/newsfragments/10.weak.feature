A `MANAGEMENT_TOKEN` or `METRICS_TOKEN` that can be guessed is warned of with the number of guesses that it takes.
