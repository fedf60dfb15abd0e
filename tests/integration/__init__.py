"""Tests with real sockets, servers and processes."""

import signal

for _number in (signal.SIGINT, signal.SIGHUP):
    # A shell has what it starts in the background ignore these, and so would the processes that the tests send them to.
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, lambda *_: None)
