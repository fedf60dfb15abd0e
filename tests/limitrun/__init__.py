"""
Limits of several machines, whose processes are killed: what was admitted, and what upstream billed of a budget.

C{python -m tests.limitrun} has two proxies, with two workers each, count in a Redis of its own: a thousand requests at
once against C{rpm_limit: 100}, requests at once whose proxy is killed, and 10,000 random exchanges against a budget
while workers and whole proxies are killed (SIGKILL). With C{--shared postgresql} (C{mysql}, C{sqlite}) they have no
Redis, and lease the budget in a database; with C{--hard} it is a C{hard_budget}, against streams that do not say how
long they may be, of which it cuts those that cost too much.
"""
