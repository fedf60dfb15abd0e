`TransparentProxy` now embeds the proxy into a Twisted application, under its own site or a stock one.
