"""
The real server of llama.cpp, in a process of its own, with a model of a few thousand weights that is made here:
C{python -m tests.integration.llamaserver FILE} writes the model to a file, serves it on loopback, says where, and ends
with its standard input.
"""

from __future__ import annotations

import random
import struct
import sys
from typing import Any

_EMBEDDING, _HEADS, _FEED_FORWARD, _CONTEXT = 32, 2, 64, 2048
_FLOAT, _UINT, _INT, _STRING, _ARRAY = 6, 4, 5, 8, 9
_ALIGNED = 32


def _text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def _value(kind: int, value: Any) -> bytes:
    if kind == _STRING:
        return _text(value)
    return struct.pack({_FLOAT: "<f", _UINT: "<I", _INT: "<i"}[kind], value)


def _pair(name: str, kind: int, value: Any) -> bytes:
    return _text(name.encode()) + struct.pack("<I", kind) + _value(kind, value)


def _list(name: str, kind: int, values: list[Any]) -> bytes:
    head = _text(name.encode()) + struct.pack("<IIQ", _ARRAY, kind, len(values))
    return head + b"".join(_value(kind, value) for value in values)


def _vocabulary() -> list[tuple[bytes, float, int]]:
    """
    Tokens with score and type: bytes of ASCII, and the letters. With others it would say half of a letter at times, and
    leaves the first event of a stream out then.
    """
    special = [(b"<unk>", 0.0, 2), (b"<s>", 0.0, 3), (b"</s>", 0.0, 3)]
    found = [(b"<0x%02X>" % each, 0.0, 6) for each in (ord("\n"), *range(ord(" "), 127))]
    letters = ["\u2581".encode(), *(bytes([each]) for each in range(ord("a"), ord("z") + 1))]
    return [*special, *found, *((letter, -1.0, 1) for letter in letters)]


def _tensors(tokens: int) -> dict[str, tuple[int, ...]]:
    """Shapes by name, the innermost dimension first."""
    square = (_EMBEDDING, _EMBEDDING)
    block = {f"attn_{each}.weight": square for each in ("q", "k", "v", "output")}
    block |= {"attn_norm.weight": (_EMBEDDING,), "ffn_norm.weight": (_EMBEDDING,)}  # type: ignore[dict-item]
    block |= {"ffn_gate.weight": (_EMBEDDING, _FEED_FORWARD), "ffn_up.weight": (_EMBEDDING, _FEED_FORWARD)}
    block |= {"ffn_down.weight": (_FEED_FORWARD, _EMBEDDING)}
    outer = {"token_embd.weight": (_EMBEDDING, tokens), "output.weight": (_EMBEDDING, tokens)}
    return {**outer, "output_norm.weight": (_EMBEDDING,), **{f"blk.0.{name}": shape for name, shape in block.items()}}


def model() -> bytes:
    """A file in GGUF 3 (docs/gguf.md of ggml-org/ggml, read on 30 November 2026), the same each time."""
    vocabulary = _vocabulary()
    meta = [
        _pair("general.architecture", _STRING, b"llama"),
        *(
            _pair(f"llama.{name}", _UINT, value)
            for name, value in (
                ("context_length", _CONTEXT),
                ("embedding_length", _EMBEDDING),
                ("block_count", 1),
                ("feed_forward_length", _FEED_FORWARD),
                ("attention.head_count", _HEADS),
                ("rope.dimension_count", _EMBEDDING // _HEADS),
                ("vocab_size", len(vocabulary)),
            )
        ),
        _pair("llama.attention.layer_norm_rms_epsilon", _FLOAT, 1e-5),
        _pair("tokenizer.ggml.model", _STRING, b"llama"),
        _list("tokenizer.ggml.tokens", _STRING, [each[0] for each in vocabulary]),
        _list("tokenizer.ggml.scores", _FLOAT, [each[1] for each in vocabulary]),
        _list("tokenizer.ggml.token_type", _INT, [each[2] for each in vocabulary]),
        _pair("tokenizer.ggml.bos_token_id", _UINT, 1),
        _pair("tokenizer.ggml.eos_token_id", _UINT, 2),
        _pair("tokenizer.chat_template", _STRING, b"{% for m in messages %}{{ m['content'] }} {% endfor %}"),
    ]
    weights, described, data = random.Random(7), b"", b""
    tensors = _tensors(len(vocabulary))
    for name, shape in tensors.items():
        described += _text(name.encode()) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(data))
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        values = [1.0] * count if len(shape) == 1 else [weights.gauss(0, 0.2) for _ in range(count)]
        data += struct.pack(f"<{count}f", *values)
        data += bytes(-len(data) % _ALIGNED)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(meta)) + b"".join(meta) + described
    return head + bytes(-len(head) % _ALIGNED) + data


def main(path: str) -> None:
    import xllamacpp

    with open(path, "wb") as file:
        file.write(model())
    options = xllamacpp.CommonParams()
    options.model.path = path
    options.n_ctx, options.n_parallel, options.warmup = _CONTEXT, 2, False
    options.cpuparams.n_threads = 1
    options.port, options.endpoint_metrics = 0, True
    server = xllamacpp.Server(options)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
