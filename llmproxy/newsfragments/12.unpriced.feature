Reports of usage count in `unpriced` how many exchanges have no price, and `llmproxy usage` says so.
