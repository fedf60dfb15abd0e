A browser that opens a WebSocket as OpenAI's SDK does, with its token among the subprotocols it offers, is let in; the token does not reach upstream.
