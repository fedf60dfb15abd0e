"""Parts of the proxy put together; L{llmproxy.app.proxy} puts them around the rest."""
