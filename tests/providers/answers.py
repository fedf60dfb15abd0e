"""Answers of every dialect that tell their usage, and what is to be read in each."""

from __future__ import annotations

from attrs import frozen

from llmproxy.usage import Usage

SSE, JSON, NDJSON = b"text/event-stream", b"application/json", b"application/x-ndjson"


@frozen
class Golden:
    """@ivar usage: without C{raw}, which C{raw} names the members of."""

    media_type: bytes
    body: bytes
    usage: Usage
    raw: frozenset[str]


def _golden(media_type: bytes, body: bytes, raw: str, **counted: object) -> Golden:
    return Golden(media_type, body, Usage(**counted), frozenset(raw.split()))  # type: ignore[arg-type]


_CHAT = (
    b'"usage": {"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42, '
    b'"prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 2}, '
    b'"completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 0}}'
)
_CHAT_RAW = "prompt_tokens completion_tokens total_tokens prompt_tokens_details completion_tokens_details"
_CHAT_USAGE: dict[str, object] = {
    "input_tokens": 30,
    "cached_input_tokens": 8,
    "output_tokens": 12,
    "reasoning_tokens": 5,
    "audio_input_tokens": 2,
    "audio_output_tokens": 0,
    "served_model": "small-2",
}
_PLAIN = "prompt_tokens completion_tokens total_tokens"
_RESPONSE = (
    b'{"id":"r","model":"big-1","output":[{"content":[{"text":"}{\\"usage\\":1"}]}],"usage":{"input_tokens":9,'
    b'"input_tokens_details":{"cached_tokens":4},"output_tokens":7,"output_tokens_details":{"reasoning_tokens":6},'
    b'"total_tokens":16}}'
)
_RESPONSE_RAW = "input_tokens input_tokens_details output_tokens output_tokens_details total_tokens"
_RESPONSE_USAGE: dict[str, object] = {
    "input_tokens": 9,
    "cached_input_tokens": 4,
    "output_tokens": 7,
    "reasoning_tokens": 6,
    "served_model": "big-1",
}
_CLAUDE_USAGE: dict[str, object] = {
    "input_tokens": 3 + 40 + 500,
    "cached_input_tokens": 500,
    "cache_write_tokens": 40,
    "output_tokens": 17,
    "served_model": "claude-x",
}
_CLAUDE_RAW = "input_tokens cache_creation_input_tokens cache_read_input_tokens output_tokens"
_GEMINI_USAGE: dict[str, object] = {
    "input_tokens": 10 + 3,
    "cached_input_tokens": 6,
    "output_tokens": 4 + 20,
    "reasoning_tokens": 20,
    "audio_input_tokens": 2,
    "served_model": "gem-1",
}
_GEMINI_RAW = (
    "promptTokenCount candidatesTokenCount thoughtsTokenCount cachedContentTokenCount toolUsePromptTokenCount "
    "totalTokenCount promptTokensDetails"
)
_GEMINI_FIRST = b'{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"promptTokenCount":10}}'
_GEMINI_LAST = (
    b'{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":4,'
    b'"thoughtsTokenCount":20,"cachedContentTokenCount":6,"toolUsePromptTokenCount":3,"totalTokenCount":37,'
    b'"promptTokensDetails":[{"modality":"TEXT","tokenCount":8},{"modality":"AUDIO","tokenCount":2}]},'
    b'"modelVersion":"gem-1"}'
)
_CHUNK = b'data: {"id":"c","model":"small-2","choices":[{"delta":{"content":"h\\u00e9 \\"usage\\": 3"}}],"usage":null}'

GOLDEN = {
    "chat": _golden(
        JSON,
        b'{"id": "c", "model": "small-2", "choices": [{"message": {"content": "a \\"usage\\": {\\\\"}}], '
        + _CHAT
        + b"}\n",
        _CHAT_RAW,
        **_CHAT_USAGE,
    ),
    "chat, the usage first": _golden(
        JSON,
        b"{" + _CHAT + b',"choices":[[{"usage":{"prompt_tokens":1}}]],"model":"small-2"}',
        _CHAT_RAW,
        **_CHAT_USAGE,
    ),
    "chat, streamed": _golden(
        SSE,
        _CHUNK + b"\n\n" + _CHUNK + b'\n\ndata: {"model":"small-2","choices":[],' + _CHAT + b"}\n\ndata: [DONE]\n\n",
        _CHAT_RAW,
        **_CHAT_USAGE,
    ),
    "chat, streamed, with CR LF and comments": _golden(
        SSE,
        b": wait\r\n\r\n" + _CHUNK + b'\r\n\r\nid: 1"\r\ndata: {"choices":[],\r\ndata: ' + _CHAT + b"}\r\n\r\n",
        _CHAT_RAW,
        **_CHAT_USAGE,
    ),
    "chat, usage on every chunk": _golden(
        SSE,
        b"".join(
            b'data: {"model":"m","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":%d,"total_tokens":%d}}\n\n'
            % (each, 7 + each)
            for each in range(4)
        ),
        _PLAIN,
        input_tokens=7,
        output_tokens=3,
        served_model="m",
    ),
    "x_groq": _golden(
        SSE,
        b'data: {"model":"m","x_groq":{"id":"r"}}\n\ndata: {"model":"m","choices":[],"x_groq":{"id":"r","usage":'
        b'{"queue_time":0.1,"prompt_tokens":2,"completion_tokens":5,"total_tokens":7}}}\n\ndata: [DONE]\n\n',
        _PLAIN + " queue_time",
        input_tokens=2,
        output_tokens=5,
        served_model="m",
    ),
    "reasoning beside the output": _golden(
        JSON,
        b'{"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":107,"completion_tokens_details":'
        b'{"reasoning_tokens":100}}}',
        _PLAIN + " completion_tokens_details",
        input_tokens=5,
        output_tokens=102,
        reasoning_tokens=100,
    ),
    "hits of a cache by another name": _golden(
        JSON,
        b'{"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"prompt_cache_hit_tokens":4}}',
        _PLAIN + " prompt_cache_hit_tokens",
        input_tokens=5,
        output_tokens=2,
        cached_input_tokens=4,
    ),
    "completions": _golden(
        JSON,
        b'{"object":"text_completion","model":"m","choices":[{"text":"a"}],"usage":{"prompt_tokens":1,'
        b'"completion_tokens":2,"total_tokens":3}}',
        _PLAIN,
        input_tokens=1,
        output_tokens=2,
        served_model="m",
    ),
    "embeddings": _golden(
        JSON,
        b'{"data":[{"embedding":[0.1,-2e-3,[]]},{"embedding":"AAAA"}],"model":"e","usage":{"prompt_tokens":8,'
        b'"total_tokens":8}}',
        "prompt_tokens total_tokens",
        input_tokens=8,
        output_tokens=0,
        served_model="e",
    ),
    "responses": _golden(JSON, _RESPONSE, _RESPONSE_RAW, **_RESPONSE_USAGE),
    "responses, streamed": _golden(
        SSE,
        b'event: response.created\ndata: {"type":"response.created","response":{"model":"big-1","usage":null}}\n\n'
        b'event: response.output_text.delta\ndata: {"delta":"a"}\n\n'
        b'event: response.completed\ndata: {"type":"response.completed","response":' + _RESPONSE + b"}\n\n",
        _RESPONSE_RAW,
        **_RESPONSE_USAGE,
    ),
    "transcription": _golden(
        JSON, b'{"text":"a","usage":{"type":"duration","seconds":3.5}}', "type seconds", seconds=3.5
    ),
    "messages": _golden(
        JSON,
        b'{"type":"message","model":"claude-x","content":[{"text":"\\\\"}],"usage":{"input_tokens":3,'
        b'"cache_creation_input_tokens":40,"cache_read_input_tokens":500,"output_tokens":17}}',
        _CLAUDE_RAW,
        **_CLAUDE_USAGE,
    ),
    "messages, streamed": _golden(
        SSE,
        b'event: message_start\ndata: {"type":"message_start","message":{"model":"claude-x","content":[],"usage":'
        b'{"input_tokens":3,"cache_creation_input_tokens":40,"cache_read_input_tokens":500,"output_tokens":1}}}\n\n'
        b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"a"}}\n\n'
        b'event: message_delta\ndata: {"type":"message_delta","delta":{},"usage":{"output_tokens":9}}\n\n'
        b'event: message_delta\ndata: {"type":"message_delta","delta":{},"usage":{"output_tokens":17,'
        b'"cache_read_input_tokens":null}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n',
        _CLAUDE_RAW,
        **_CLAUDE_USAGE,
    ),
    "gemini": _golden(JSON, _GEMINI_LAST, _GEMINI_RAW, **_GEMINI_USAGE),
    "gemini, an array": _golden(
        JSON, b"[" + _GEMINI_FIRST + b"\n,\r\n" + _GEMINI_LAST + b"\n]\n", _GEMINI_RAW, **_GEMINI_USAGE
    ),
    "gemini, events": _golden(
        SSE,
        b"data: " + _GEMINI_FIRST + b"\r\n\r\ndata: " + _GEMINI_LAST + b"\r\n\r\n",
        _GEMINI_RAW,
        **_GEMINI_USAGE,
    ),
    "ollama": _golden(
        NDJSON,
        b'{"model":"l","message":{"role":"assistant","content":"a"},"done":false}\n'
        b'{"model":"l","message":{"content":""},"done":true,"prompt_eval_count":11,"eval_count":13}\n',
        "prompt_eval_count eval_count",
        input_tokens=11,
        output_tokens=13,
        served_model="l",
    ),
    "llama.cpp, timings": _golden(
        SSE,
        b'data: {"choices":[{"delta":{}}],"model":"g","timings":{"cache_n":20,"prompt_n":3,"predicted_n":4}}\n\n',
        "timings",
        input_tokens=23,
        cached_input_tokens=20,
        output_tokens=4,
        served_model="g",
    ),
    "llama.cpp, its own": _golden(
        JSON,
        b'{"content":"a","model":"g","tokens_predicted":4,"tokens_evaluated":23,"timings":{"prompt_n":23}}',
        "tokens_predicted tokens_evaluated timings",
        input_tokens=23,
        output_tokens=4,
        served_model="g",
    ),
}
