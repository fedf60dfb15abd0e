``max_requests`` is exact: a token limited to N requests is answered N times, whatever the number of processes and however they end.
