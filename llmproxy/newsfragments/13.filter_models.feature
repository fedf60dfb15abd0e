`filter_models: true` of an API has `GET /v1/models` show a caller only the models that it may use, in the shapes of OpenAI, Anthropic and Gemini.
