"""C{python -m llmproxy}: the command line."""

from llmproxy.cli import main

if __name__ == "__main__":
    main()
