`llmproxy audit` lists, shows and exports the audit log, and `llmproxy audit verify` finds whatever was changed, taken out or moved in its files or in the database, the end included, and says where.
