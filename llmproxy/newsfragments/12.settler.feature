A proxy that is busy has a process that writes its records of usage into the database: what serves requests no longer shares
the interpreter with that. `ledger: {own_process: false}` leaves it to a thread.
