"""Names, versions and requirements stand in C{setup.cfg}; this adds what is compiled, if anything."""

import atexit
import shutil
import sys
import tempfile
from pathlib import Path

from setuptools import setup

sys.path.insert(0, str(Path(__file__).parent / "compiling"))

from llmproxy_backend import compiles, extensions

if compiles(sys.argv):
    # Nothing of it may be left here, where Python would import it in place of the modules.
    base = tempfile.mkdtemp(prefix="llmproxy-build-")
    atexit.register(shutil.rmtree, base, ignore_errors=True)
    setup(ext_modules=extensions(base), options={"build": {"build_base": base}})
else:
    setup()
