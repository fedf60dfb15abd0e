`llmproxy agents claude` and `llmproxy agents codex` print what those programs need to use the proxy, or write it with `--write`.
