"""Resources for coding agents: the contract that Claude Code has with a gateway, and what Codex reads."""
