`deploy/front` has configurations for nginx, Caddy, HAProxy, Apache, Traefik and Envoy in front of the proxy, each of which is tested with the server itself.
