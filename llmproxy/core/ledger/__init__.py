"""The ledger: its entries, how they stand in a file, and what is found there after a crash; pure."""
