A client that asks to switch to WebSocket reaches upstream, and both speak through the proxy once upstream agrees.
