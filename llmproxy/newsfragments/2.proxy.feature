The proxied path now forwards method, target, fields and bodies byte for byte in both directions, streams with backpressure, and closes upstream as soon as the client leaves.
