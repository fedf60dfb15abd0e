"""
The doctor: looks at what a proxy needs, with bounds, and changes nothing.

Each module of the looks gathers facts; what they mean is judged in L{llmproxy.core.doctor}.
"""
