HTTP/2 is offered over TLS where `llmproxy[http2]` is installed; `limits.spooled` bounds what is held of an upload over it.
