`llmproxy healthcheck` asks a proxy on this machine whether it is alive (`--ready`: whether it can serve), for images without a shell or `curl`.
