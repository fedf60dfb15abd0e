`capture` of an API has events say what was asked and answered, within bounds, off by default; `OBSERVABILITY_ENABLED` and its two sizes do it for every API.
