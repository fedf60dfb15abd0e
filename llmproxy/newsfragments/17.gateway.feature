`llmproxy agents claude --gateway` prints or writes the settings of a machine with which Claude Code's own `/login` signs in at the proxy.
