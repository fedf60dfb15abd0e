"""Signatures of webhooks."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.webhooks import batch_id, key_of, signature

from .samples import event


class WebhookTests(SynchronousTestCase):
    def test_published_example(self) -> None:
        """The libraries of Standard Webhooks verify it: the example of their documentation."""
        key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        made = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
        self.assertEqual(made, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")

    def test_keys(self) -> None:
        """Any text is a secret; one that begins like an encoded one has to be one, and is not shown."""
        self.assertEqual(key_of("plain words"), b"plain words")
        error = self.assertRaises(ValueError, key_of, "whsec_hidden!")
        self.assertNotIn("hidden", str(error))

    def test_ids(self) -> None:
        """A batch that comes again has the id that it had."""
        self.assertEqual(batch_id([event(1), event(2)]), batch_id([event(1), event(2)]))
        self.assertNotEqual(batch_id([event(1)]), batch_id([event(2)]))
