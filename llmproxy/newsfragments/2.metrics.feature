`/metrics` now has requests, latencies, times to first byte, endings and reactor lag; the access log has a line of JSON for every exchange.
