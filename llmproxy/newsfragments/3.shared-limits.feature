`limits.connections` and `limits.connections_per_client` hold for all workers together, not for each of them.
