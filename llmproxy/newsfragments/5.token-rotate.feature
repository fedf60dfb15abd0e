`llmproxy token rotate`, `llmproxy project rotate-key`, names, metadata, expiry and filters of tokens on the command line.
