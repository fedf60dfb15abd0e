`llmproxy quickstart` starts a working proxy with nothing else needed, and prints a curl line and five lines of Python to paste.
