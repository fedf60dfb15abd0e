"""
Exchanges through a real proxy whose processes are killed at random, and what its ledger says of them afterwards.

C{python -m tests.ledgerrun} makes 20,000 exchanges with each kind of database: workers, and the whole proxy, are killed
(SIGKILL) while they run. The upstream and the clients note what they saw; when all has ended, the database has to say
the same. What is compared stands in L{tests.ledgerrun.judgement}.
"""
