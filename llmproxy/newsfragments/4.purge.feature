`POST /manage/cache/purge` lets go of an address, a path prefix, a project, an API or everything, in all workers and in Redis; `GET /manage/cache/stats` and `llmproxy cache purge|stats` come with it.
