"""Tests of llmproxy; their packages mirror those of the proxy."""

import gc

from hypothesis import HealthCheck, settings

from .properties import examples

# A suite holds its tests until it ends, a million objects: the collector took a quarter of the time.
gc.set_threshold(20_000, 20, 100)

# A machine that others use too is slow at times, which says nothing about what is tested.
settings.register_profile(
    "suite", max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")
