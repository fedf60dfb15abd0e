"""Telemetry: the trace that an exchange is part of, and what is said of it in the terms of OpenTelemetry; pure."""
