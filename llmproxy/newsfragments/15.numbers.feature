Admin pages: numbers are taken as people write them (`1,000`, `1 000`, `$5`); an address that cannot be shown, an amount and a duration that cannot be are explained in words, with a way on.
