`--workers` now serves with several processes behind the same sockets, with exact quotas, common metrics, and revocation that reaches all of them.
