"""Rules about people: who they are by the word of an identity provider, and what follows from it."""
