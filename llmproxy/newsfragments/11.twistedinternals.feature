A version of Twisted whose private names differ is noticed at start: the log says so once, and connections are written to in the public, slower way.
