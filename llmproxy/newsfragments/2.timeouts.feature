`timeouts` now limits connecting, the response head, silence and the whole exchange; a stream that keeps talking is not cut.
