"""The arithmetic of prices: units, tariffs, and who asks for them; exact decimals, no I/O."""
