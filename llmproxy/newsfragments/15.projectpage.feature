The pages of a project and of a token in the admin pages show what they have used in a span, by token and model, and a project's latest changes.
