``/healthz``, ``/livez`` and ``/readyz`` answer as ``/health``, ``/live`` and ``/ready`` do; an API can no longer have one of these names.
