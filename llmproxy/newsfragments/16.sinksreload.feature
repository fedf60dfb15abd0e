A reload takes `sinks:` too: sinks that are as before go on, others begin and end without a restart.
