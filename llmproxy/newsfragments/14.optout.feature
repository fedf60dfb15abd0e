`X-LLMProxy-Capture: off` leaves a request out of capture where `opt_out: true` allows it, and is never sent on.
