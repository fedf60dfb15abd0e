"""Tests for L{llmproxy.core.overrides}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.overrides import override


class OverrideTests(SynchronousTestCase):
    def test_fields(self) -> None:
        """Each field by which servers take another method is found, in any case and with underscores."""
        for name in (
            b"X-HTTP-Method-Override",
            b"x-http-method-override",
            b"X_HTTP_Method_Override",
            b"X-HTTP_METHOD-Override",
            b"X-HTTP-Method",
            b"X-Method-Override",
            b"x-original-method",
        ):
            self.assertEqual(override([(b"Accept", b"*/*"), (name, b"DELETE")], b"/v1"), name.decode(), name)

    def test_query(self) -> None:
        """So is each parameter, however it is encoded and parted."""
        for query in (
            b"_method=DELETE",
            b"a=1&_METHOD=DELETE",
            b"%5Fmethod=DELETE",
            b"a=1;_method=DELETE",
            b"x-http-method-override=DELETE",
            b"$httpMethod=DELETE",
            b"%24httpHeaders=X-HTTP-Method-Override:DELETE",
            b"_method",
            b"_method[]=DELETE",
            b".method=DELETE",
            b"+_method%00x=DELETE",
        ):
            self.assertNotEqual(override([], b"/v1/files?" + query), "", query)

    def test_none(self) -> None:
        """Nothing else is one."""
        fields = [(b"X-Method", b"DELETE"), (b"Content-Type", b"x-http-method/override")]
        for query in (b"", b"method=DELETE", b"model=_method", b"alt=sse&key=x"):
            self.assertEqual(override(fields, b"/v1/_method?" + query), "", query)
