``TOKENS_KEEP_ENDED`` (``90d``; for ever by default) says how long tokens stay that expired or were revoked: after that they are removed, and their names stay in ``ended_tokens`` for reports.
