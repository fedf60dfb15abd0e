`breaker` now opens a circuit per API and project after five failures in a row, and lets one probe through after 30 seconds.
