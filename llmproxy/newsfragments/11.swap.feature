`TransparentProxy.swap` serves another configuration from the next request on, while what is running ends with the one that it began with.
