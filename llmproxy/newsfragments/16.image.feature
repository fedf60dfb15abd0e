`deploy/Dockerfile` makes a small image: nobody's root, a root that need not be written, a health check without a shell, and no installer in it.
