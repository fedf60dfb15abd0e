"""
Pages for people beside the management API.

They are made on the server, of what the management API says, and work without JavaScript. A page is a function from
values to a template and what stands in it (L{llmproxy.admin.pages}); what it knows of the proxy it asks an
L{llmproxy.admin.backend.Api}, in the same process or over HTTP. Nothing imports this package unless the pages are on.
"""
