`llmproxy setup` asks, or takes options, writes `.env` (0600) and a file of APIs, and really makes the first project and its token.
