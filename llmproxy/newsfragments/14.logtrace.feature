Lines of the access log now have `trace_id` and `span_id` where the client sends a W3C `traceparent`, which goes on to upstream as it came.
