`prices:` in the configuration gives models prices of your own, above the book of list prices and where it has none, by globs of APIs and models; `llmproxy check` shows them.
