"""C{twistd llmproxy}: a name and where to find the rest."""

from twisted.application.service import ServiceMaker

llmproxy = ServiceMaker("llmproxy", "llmproxy.tap", "A transparent reverse proxy for LLM APIs.", "llmproxy")
