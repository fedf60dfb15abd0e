llmproxy admin create, list and revoke keep the admins of the management API, over the API or, with --direct, in the database itself.
