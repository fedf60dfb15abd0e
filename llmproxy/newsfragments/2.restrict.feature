`allowed_methods`, `allowed_endpoints`, `param_whitelist`, `allowed_origins` and `required_headers` are now enforced after the caller is known and before anything is spent.
