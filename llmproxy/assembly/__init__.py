"""Parts of the proxy put together; L{llmproxy.transparent} puts them around the rest."""
