`llmproxy check` prints which identity providers there are and what each rule gives; `llmproxy doctor` looks at the providers: discovery, issuer, keys, PKCE and clock.
