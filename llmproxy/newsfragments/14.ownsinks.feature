The entry point group `llmproxy.sinks` adds types of sinks.
