Event streams carry ``X-Accel-Buffering: no``, so that nginx in front of the proxy passes events on as they come; ``docs/nginx.md`` has a configuration.
