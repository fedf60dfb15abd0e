Durations take `mo` for 30 days, in the configuration, the environment and on the command line.
