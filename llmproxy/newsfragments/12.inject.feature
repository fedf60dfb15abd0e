`meter: {include_usage: inject}` asks for the usage of streamed chats where a client has not, and takes the event that tells it out of the answer again ([usage.md](docs/usage.md)).
