`LLMPROXY_COMPILE=1 pip install .` compiles the hot modules with mypyc; without the variable everything is Python, as before. `make wheels`
makes the pure wheel and a compiled one for each Python of the machine. `llmproxy version` says which build runs.
