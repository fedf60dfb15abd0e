"""Providers: all that is known of one vendor's API, in one module each; L{llmproxy.providers.registry} finds them."""
