Sinks of the types `lunary`, `helicone` and `langfuse` send exchanges as these vendors document it, with ids that are the same each time, and heed answers that tell of each item.
