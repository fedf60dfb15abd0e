An API takes `auth: none`, and a `key` of its own (`${VARIABLE}` or `file:/path`) for the projects in `own_key_for`.
