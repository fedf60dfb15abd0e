The caches of `--workers` let go of the same: what a PUT, POST or DELETE to one has made doubtful is told to the others within a tenth of a second.
