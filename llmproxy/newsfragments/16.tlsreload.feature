A reload takes `tls:` too: certificates for more names, and other authorities for those of clients.
