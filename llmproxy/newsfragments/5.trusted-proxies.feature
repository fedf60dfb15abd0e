`trusted_proxies` (or `TRUSTED_PROXIES`) names the proxies in front that are believed when they say whose request they pass on; from all others `X-Forwarded-For` and `Forwarded` are ignored.
