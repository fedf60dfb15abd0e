"""Tests of llmproxy; their packages mirror those of the proxy."""

import gc

# A suite holds its tests until it ends, a million objects: the collector took a quarter of the time.
gc.set_threshold(20_000, 20, 100)
