People sign coding agents in by their identity provider (`agents: {sign_in: on}`, RFC 8628): short-lived tokens of the person, refresh tokens that are
good once, and a page that names the program and its machine. `llmproxy login` signs a person in likewise, and `llmproxy auth print-token` gives the
token to programs.
