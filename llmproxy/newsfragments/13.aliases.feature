`models: [{from: to}]` of an upstream asks it for another model than the caller names, whose name the answer has ([upstreams.md](docs/upstreams.md#other-names-of-models)).
