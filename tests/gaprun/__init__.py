"""A run that looks for gaps: requests and streams go on while a proxy is reloaded, upgraded, and certified anew."""
