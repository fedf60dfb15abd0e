Tokens have names and metadata, and a secret that can be rotated with an overlap in which the old one still works.
