`llmproxy db import-litellm` moves in keys and teams of LiteLLM with their budgets and limits, from the JSON of its API; its keys go on working.
