Usage is reported by person (`--by person`, `group_by=person`, `person_id=`), for people who sign in by an identity provider, and their limits and budgets
are counted once for each person, with all of their devices; `usage_limits` has rules `per: person`.
