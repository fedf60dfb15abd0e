`make dist` builds an sdist and a wheel that are the same bytes wherever they are made; `make sbom` adds a bill of materials (CycloneDX).
