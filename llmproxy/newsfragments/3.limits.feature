`limits` in the configuration sets what one client may ask of a port; the access log has a line for what a port refused, beside the count in the metrics.
