`llmproxy check` now finds what is wrong with `sinks` and with the variables of OpenTelemetry, and shows where events go and how exchanges are traced.
