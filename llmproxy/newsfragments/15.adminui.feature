`llmproxy admin-ui` serves the admin pages in a process of their own, over the management API of a proxy elsewhere; `llmproxy admin --listen … --api-base-url …`, as in the reference, is the same.
