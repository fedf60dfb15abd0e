"""
Business rules of tokens, projects and admins, without HTTP.

The management API, C{llmproxy quickstart} and C{llmproxy setup} are thin above them. What is refused is a
L{llmproxy.errors.ProxyError}; what comes back is a value of L{llmproxy.message}.
"""
