`llmproxy db downgrade` takes the schema one revision back, once it has said what that has no place for.
