`llmproxy debug-bundle` puts together what those need who are to help, without a secret.
