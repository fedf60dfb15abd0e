A database that is away or does not answer holds nobody up: calls wait ten seconds at most, tokens that were warm work on for 15 minutes, and counts are kept until they can be written.
