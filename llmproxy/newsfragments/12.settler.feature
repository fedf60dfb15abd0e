A proxy that is busy has a process that writes its records of usage into the database: what serves requests no longer shares
its processor with that, and serves some three times as many small requests. `ledger: {own_process: false}` leaves it to a thread.
