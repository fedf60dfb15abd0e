The Redis that machines share is configured by `redis:` of the file or `REDIS_URL`, `REDIS_POOL_SIZE`, `REDIS_TIMEOUT` and `REDIS_KEY_PREFIX`; the one of the cache stays `REDIS_CACHE_URL`.
