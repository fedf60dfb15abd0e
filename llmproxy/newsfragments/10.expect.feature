``Expect: 100-continue`` is now forwarded, so that the upstream can refuse an upload before it is sent; an upstream that says nothing is sent the body after `timeouts.expect_continue`, 1 s.
