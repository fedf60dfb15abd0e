A hit of an opted-in POST takes a fifth less processor time, one of a GET a tenth less. What tells POSTs apart is hashed differently, so that stored answers to POST in Redis are fetched once more.
