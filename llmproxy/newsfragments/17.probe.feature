A `HEAD` of an API's root without a token, with which Claude Code looks whether anybody is there, is answered with 204 and leaves no audit
record.
