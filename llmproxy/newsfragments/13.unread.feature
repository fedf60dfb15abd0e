`llmproxy check` names the APIs whose answers are not read, where a limit of tokens or money counts what was reserved.
