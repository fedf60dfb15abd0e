`dialect` now gives error answers the shape that the SDK of OpenAI, Anthropic or Gemini raises its own exceptions of.
