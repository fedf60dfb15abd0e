`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` are honoured unless `connection.proxy_from_environment` is false, as by the reference.
