`limits.send_silence` (60 s) is how long a client may take nothing of an answer that goes on; then its connection is reset. It was held for as long as it liked.
