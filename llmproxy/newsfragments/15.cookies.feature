Cookies whose names begin with `llmproxy_` are those of the admin pages: no request takes one to an upstream, and no upstream can set one.
