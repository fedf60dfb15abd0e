`llmproxy check`, `llmproxy serve --help` and `twistd llmproxy --help` say where the ledger keeps records, and what `ledger:` changes of it.
