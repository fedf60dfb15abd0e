`llmproxy demo-upstream` serves an upstream in the shape of OpenAI and Anthropic that needs no model and no network.
