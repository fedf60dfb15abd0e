A project holds keys by API: `api_keys` in POST and PATCH of projects, `api` in `rotate-key`, `llmproxy project set-key` and `unset-key`; one token works at several providers.
