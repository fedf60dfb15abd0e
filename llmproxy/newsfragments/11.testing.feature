`llmproxy.testing` has a proxy in memory for tests of embeddings, with a client and an upstream that the test holds: no socket, no thread, no reactor.
