"""Answers of vendors that have a shape of their own."""

from __future__ import annotations

import zlib
from base64 import b64encode

from .golden import JSON, NDJSON, SSE
from .golden import golden as _golden

AWS = b"application/vnd.amazon.eventstream"


def aws_event(payload: bytes, headers: bytes = b"\x0b:event-type\x07\x00\x05chunk") -> bytes:
    """A message of an AWS event stream."""
    sizes = (16 + len(headers) + len(payload)).to_bytes(4, "big") + len(headers).to_bytes(4, "big")
    message = sizes + zlib.crc32(sizes).to_bytes(4, "big") + headers + payload
    return message + zlib.crc32(message).to_bytes(4, "big")


def aws_chunk(document: bytes) -> bytes:
    """An event of InvokeModelWithResponseStream."""
    return aws_event(b'{"bytes":"%b","p":"abcdefgh"}' % b64encode(document))


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
_INTERACTION_USAGE: dict[str, object] = {
    "input_tokens": 10 + 2,
    "cached_input_tokens": 4,
    "output_tokens": 6 + 8,
    "reasoning_tokens": 8,
    "served_model": "gem-2",
}
_INTERACTION_RAW = (
    "total_input_tokens total_cached_tokens total_output_tokens total_tool_use_tokens total_thought_tokens total_tokens"
)
_CONVERSE_USAGE: dict[str, object] = {
    "input_tokens": 3 + 40 + 500,
    "cached_input_tokens": 500,
    "cache_write_tokens": 40,
    "output_tokens": 17,
}
_CONVERSE_RAW = "inputTokens outputTokens totalTokens cacheReadInputTokens cacheWriteInputTokens"
OTHERS = {
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
    "llama.cpp, timings beside a response": _golden(
        SSE,
        b'event: response.completed\ndata: {"type":"response.completed","response":{"id":"r","model":"g","usage":'
        b'{"input_tokens":14,"output_tokens":4,"total_tokens":18,"input_tokens_details":{"cached_tokens":13}}},'
        b'"timings":{"cache_n":13,"prompt_n":1,"predicted_n":4}}\n\n',
        "input_tokens output_tokens total_tokens input_tokens_details",
        input_tokens=14,
        cached_input_tokens=13,
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
    "messages, all there is": _golden(
        SSE,
        b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","model":"claude-x","usage":'
        b'{"input_tokens":3,"cache_creation_input_tokens":40,"cache_read_input_tokens":500,"cache_creation":'
        b'{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":30},"output_tokens":1,"service_tier":"standard"}}}'
        b'\n\nevent: ping\ndata: {"type": "ping"}\n\n'
        b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":'
        b'{"input_tokens":null,"cache_creation_input_tokens":null,"cache_read_input_tokens":null,"output_tokens":17,'
        b'"output_tokens_details":{"thinking_tokens":9},"server_tool_use":{"web_search_requests":2}}}\n\n'
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
        _CLAUDE_RAW + " cache_creation service_tier output_tokens_details server_tool_use",
        **_CLAUDE_USAGE,
        reasoning_tokens=9,
    ),
    "messages, without their beginning": _golden(
        SSE,
        b'event: message_delta\ndata: {"type":"message_delta","delta":{},"usage":{"output_tokens":8}}\n\n'
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
        "output_tokens",
        output_tokens=8,
    ),
    "messages, a context that was summarized": _golden(
        JSON,
        b'{"model":"claude-x","usage":{"input_tokens":5,"output_tokens":7,"iterations":[{"type":"compaction",'
        b'"input_tokens":100,"cache_creation_input_tokens":0,"cache_read_input_tokens":11,"output_tokens":20},'
        b'{"type":"message","input_tokens":5,"output_tokens":7},'
        b'{"type":"advisor_message","model":"other","input_tokens":1000,"output_tokens":1000}]}}',
        "input_tokens output_tokens iterations",
        input_tokens=5 + 100 + 11,
        cached_input_tokens=11,
        cache_write_tokens=0,
        output_tokens=7 + 20,
        served_model="claude-x",
    ),
    "gemini, embeddings": _golden(
        JSON,
        b'{"embedding":{"values":[0.1]},"usageMetadata":{"promptTokenCount":7,"totalTokenCount":7}}',
        "promptTokenCount totalTokenCount",
        input_tokens=7,
        output_tokens=0,
    ),
    "gemini, speech": _golden(
        JSON,
        b'{"modelVersion":"tts","usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":90,"totalTokenCount":95,'
        b'"candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":90}]}}',
        "promptTokenCount candidatesTokenCount totalTokenCount candidatesTokensDetails",
        input_tokens=5,
        output_tokens=90,
        audio_output_tokens=90,
        served_model="tts",
    ),
    "interactions": _golden(
        JSON,
        b'{"id":"i1","object":"interaction","model":"gem-2","status":"completed","usage":{"total_input_tokens":10,'
        b'"total_cached_tokens":4,"total_output_tokens":6,"total_tool_use_tokens":2,"total_thought_tokens":8,'
        b'"total_tokens":26,"input_tokens_by_modality":[{"modality":"audio","tokens":3}]}}',
        _INTERACTION_RAW + " input_tokens_by_modality",
        **_INTERACTION_USAGE,
        audio_input_tokens=3,
    ),
    "interactions, streamed": _golden(
        SSE,
        b'event: interaction.created\ndata: {"event_type":"interaction.created","interaction":{"model":"gem-2",'
        b'"status":"in_progress"}}\n\nevent: interaction.completed\ndata: {"event_type":"interaction.completed",'
        b'"interaction":{"id":"i1","status":"completed","usage":{"total_input_tokens":10,"total_cached_tokens":4,'
        b'"total_output_tokens":6,"total_tool_use_tokens":2,"total_thought_tokens":8,"total_tokens":26}}}\n\n',
        _INTERACTION_RAW,
        **_INTERACTION_USAGE,
    ),
    "ollama, generate": _golden(
        NDJSON,
        b'{"model":"l","response":"a","done":false}\n{"model":"l","response":"","done":true,"done_reason":"stop",'
        b'"total_duration":10,"eval_count":13}\n',
        "eval_count",
        output_tokens=13,
        served_model="l",
    ),
    "cohere": _golden(
        JSON,
        b'{"id":"c","finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":17.0,"output_tokens":12},'
        b'"tokens":{"input_tokens":215,"output_tokens":12},"cached_tokens":4}}',
        "billed_units tokens cached_tokens",
        input_tokens=17,
        cached_input_tokens=4,
        output_tokens=12,
    ),
    "cohere, streamed": _golden(
        SSE,
        b'event: message-start\ndata: {"id":"c","type":"message-start","delta":{"message":{"content":[]}}}\n\n'
        b'event: message-end\ndata: {"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"billed_units":'
        b'{"input_tokens":17,"output_tokens":12},"tokens":{"input_tokens":215,"output_tokens":12}}}}\n\n',
        "billed_units tokens",
        input_tokens=17,
        output_tokens=12,
    ),
    "cohere, version 1": _golden(
        JSON,
        b'{"text":"a","meta":{"api_version":{"version":"1"},"billed_units":{"input_tokens":3,"output_tokens":4},'
        b'"tokens":{"input_tokens":70,"output_tokens":4}}}',
        "api_version billed_units tokens",
        input_tokens=3,
        output_tokens=4,
    ),
    "cohere, version 1, streamed": _golden(
        NDJSON,
        b'{"event_type":"text-generation","text":"a"}\n{"event_type":"stream-end","response":{"meta":{"billed_units":'
        b'{"input_tokens":3,"output_tokens":4}}}}\n',
        "billed_units",
        input_tokens=3,
        output_tokens=4,
    ),
    "converse": _golden(
        JSON,
        b'{"output":{},"usage":{"inputTokens":3,"outputTokens":17,"totalTokens":560,"cacheReadInputTokens":500,'
        b'"cacheWriteInputTokens":40},"metrics":{"latencyMs":1}}',
        _CONVERSE_RAW,
        **_CONVERSE_USAGE,
    ),
    "converse, streamed": _golden(
        AWS,
        aws_event(b'{"contentBlockIndex":0,"delta":{"text":"\\"usage\\""}}')
        + aws_event(
            b'{"metrics":{"latencyMs":1},"usage":{"inputTokens":3,"outputTokens":17,"totalTokens":560,'
            b'"cacheReadInputTokens":500,"cacheWriteInputTokens":40}}'
        ),
        _CONVERSE_RAW,
        **_CONVERSE_USAGE,
    ),
    "bedrock, messages, streamed": _golden(
        AWS,
        aws_chunk(
            b'{"type":"message_start","message":{"model":"claude-x","usage":{"input_tokens":3,'
            b'"cache_creation_input_tokens":40,"cache_read_input_tokens":500,"output_tokens":1}}}'
        )
        + aws_chunk(b'{"type":"message_delta","delta":{},"usage":{"output_tokens":17}}')
        + aws_chunk(b'{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":3}}'),
        _CLAUDE_RAW,
        **_CLAUDE_USAGE,
    ),
    "bedrock, another model, streamed": _golden(
        AWS,
        aws_chunk(b'{"outputs":[{"text":"a"}]}')
        + aws_chunk(
            b'{"outputs":[],"amazon-bedrock-invocationMetrics":{"inputTokenCount":9,"outputTokenCount":2,'
            b'"invocationLatency":5}}'
        ),
        "inputTokenCount outputTokenCount invocationLatency",
        input_tokens=9,
        output_tokens=2,
    ),
    "bedrock, llama": _golden(
        JSON,
        b'{"generation":"a","prompt_token_count":9,"generation_token_count":2,"stop_reason":"stop"}',
        "prompt_token_count generation_token_count",
        input_tokens=9,
        output_tokens=2,
    ),
    "bedrock, embeddings of titan": _golden(
        JSON, b'{"embedding":[0.1],"inputTextTokenCount":6}', "inputTextTokenCount", input_tokens=6
    ),
}
