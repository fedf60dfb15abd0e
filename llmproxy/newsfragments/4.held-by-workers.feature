With `--workers`, a POST that concerns nothing which any worker holds or fetches makes no key and tells the other workers nothing: it costs what it costs in one process.
