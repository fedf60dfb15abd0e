"""
One machine, several processes: a parent that owns the listening sockets, and workers that serve them.

The parent accepts nothing itself. It opens the sockets once, passes their descriptors on, restarts a
worker that dies, and carries what the workers have to tell each other.
"""
