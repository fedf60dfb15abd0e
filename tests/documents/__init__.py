"""The documents: what is made of the code in them, and how their commands are run."""
