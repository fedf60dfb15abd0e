`parameters` of an identity provider: what browsers are sent to it with besides, such as `{access_type: offline, prompt: consent}` for Google.
