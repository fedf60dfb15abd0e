`hard_budget: true` cuts a stream when what was reserved for it and what is left of the budget are used up; its record is `refused` with `budget_exceeded` ([limits.md](docs/limits.md#hard-budgets)).
