`llmproxy.config.load_api_config` reads the YAML of the reference and its own further keys, and tells every problem at once with file, line, column and what is known.
