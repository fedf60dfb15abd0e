`llmproxy doctor` and `debug-bundle` look at what `llmproxy quickstart` runs where nothing says another configuration, or at the directory that `--data` names.
