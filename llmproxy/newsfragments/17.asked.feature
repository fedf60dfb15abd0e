As a device refreshes its token, the identity provider is asked again about its person (`check_every`, `check_grace`): who is disabled there is out here within 75 minutes.
