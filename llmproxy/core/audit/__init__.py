"""The audit trail as values: records, how they are chained, and how a chain is verified."""
