A reload of the configuration no longer compiles the templates of the admin pages again, and no start waits for the OpenAPI document to be made.
