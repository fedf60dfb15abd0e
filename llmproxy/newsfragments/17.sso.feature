Admins sign in at the pages by the identity providers of `identity:` (OpenID Connect, authorization code with PKCE), with the role that rules give
them; back-channel logout ends their sessions. The management token stays, and the audit log marks who came by it with `emergency_door`.
