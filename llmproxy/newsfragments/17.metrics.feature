Metrics of people and identity providers (`llmproxy_identity_*`): sign-ins, access tokens, refreshes and reuse, how long providers take; alert rules and runbooks for them.
