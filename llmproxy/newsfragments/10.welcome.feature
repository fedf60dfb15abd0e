A browser at `/` is shown what this is and where to go on; `python -m llmproxy` is the command; every command's `--help` has examples.
