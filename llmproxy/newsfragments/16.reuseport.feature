`--listen tcp:8080:reuse_port=yes` lets several programs listen at one port (`SO_REUSEPORT`).
