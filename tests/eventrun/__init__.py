"""
A run of events from a publisher over Redis Streams through dispatchers to a receiver, of which all but the publisher
are killed and paused at random.

The publisher is what the proxy is to its sinks: their bus, queue, spool and the sink C{redis-streams}. Each event
arrives at least once; one that comes again is the same, by its id and in all that it says; those that nobody can take
are dead letters. C{python -m tests.eventrun} makes the run of C{docs/events.md}.
"""
