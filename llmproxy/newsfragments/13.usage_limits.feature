`usage_limits:` of the configuration states limits of all tokens, and rules by API, model, project, user and tag, with `llmproxy check` saying what they mean.
