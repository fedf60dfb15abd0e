`llmproxy usage --person`, `llmproxy people end-device` and `llmproxy audit list --token` take what people call somebody or something, not ids alone.
