`llmproxy doctor` looks at configuration, environment, ports, database, Redis, upstreams, certificates, limits of the system, clock, versions and what waits on disk, and says what to mend.
