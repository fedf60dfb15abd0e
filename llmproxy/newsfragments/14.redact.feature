`capture: {redact: [...]}` takes out of captured content what stands at a path, looks like an address, card or other number of a person, or is found by an expression; secrets are masked always.
