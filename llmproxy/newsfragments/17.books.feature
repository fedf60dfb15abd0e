Usage is reported by person (`--by person`, `group_by=person`, `person_id=`), for people who sign in by an identity provider, and their limits and budgets
are counted once for each person, with all of their devices; `usage_limits` has rules `per: person`.
`llmproxy people` and `/manage/people` list them with their last sign-in, devices and spend, shut them out, let them in again, and give out or delete what is stored of them.
The admin pages show them under People.
At `/me` people see what they used and what is left, and end programs that they have let in.
Events, spans and lines of the access log say which person an exchange is of (`person_id`).
