An alias of a model may be written `{from: fast, to: gpt-4o-mini}` too.
