GET /manage/openapi.json is an OpenAPI 3.1 document of the management API, made of the definitions that check its requests.
