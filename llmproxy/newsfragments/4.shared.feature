`HTTP_CACHE_BACKEND=redis` with `REDIS_CACHE_URL`, `REDIS_ADDR`, `REDIS_DB`, `REDIS_PASSWORD` and `REDIS_CACHE_*` share the cache between proxies; `cache_hit_count` of tokens counts their hits.
