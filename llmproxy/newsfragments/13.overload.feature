`usage_limits: overload` bounds exchanges at once, with a short queue that is fair between projects, and 503 `overloaded` with `Retry-After` beyond it.
