Captured streams are merged into the answer that a plain call would have given, for the streams of OpenAI, Anthropic, Gemini, Bedrock, Cohere, Ollama and those who speak like them.
