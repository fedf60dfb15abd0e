"""Tasks of people who embed the proxy and have read docs/embedding.md alone: they import nothing that is private."""
