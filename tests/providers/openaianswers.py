"""Answers of OpenAI and of those who speak as it does."""

from __future__ import annotations

from .golden import JSON, SSE
from .golden import golden as _golden

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
_CHUNK = b'data: {"id":"c","model":"small-2","choices":[{"delta":{"content":"h\\u00e9 \\"usage\\": 3"}}],"usage":null}'

OPENAI = {
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
    "chat, the prompt filter of Azure first": _golden(
        SSE,
        b'data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{}]}\n\n'
        + _CHUNK
        + b'\n\ndata: {"model":"small-2","choices":[],'
        + _CHAT
        + b"}\n\ndata: [DONE]\n\n",
        _CHAT_RAW,
        **_CHAT_USAGE,
    ),
    "chat, usage on the chunk that finishes": _golden(
        SSE,
        b'data: {"model":"m","choices":[{"delta":{"content":"a"},"finish_reason":null}]}\n\n'
        b'data: {"model":"m","choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":4,'
        b'"total_tokens":9,"completion_tokens":5,"prompt_tokens_details":null}}\n\ndata: [DONE]\n\n',
        _PLAIN + " prompt_tokens_details",
        input_tokens=4,
        output_tokens=5,
        served_model="m",
    ),
    "chat, reasoning at the top": _golden(
        JSON,
        b'{"model":"sonar","usage":{"prompt_tokens":5,"completion_tokens":9,"total_tokens":14,"reasoning_tokens":3,'
        b'"num_search_queries":2,"cost":{"total_cost":0.01}}}',
        _PLAIN + " reasoning_tokens num_search_queries cost",
        input_tokens=5,
        output_tokens=9,
        reasoning_tokens=3,
        served_model="sonar",
    ),
    "chat, what was written to the cache": _golden(
        JSON,
        b'{"model":"m","usage":{"prompt_tokens":50,"completion_tokens":1,"total_tokens":51,"prompt_tokens_details":'
        b'{"cached_tokens":20,"cache_write_tokens":30}}}',
        _PLAIN + " prompt_tokens_details",
        input_tokens=50,
        cached_input_tokens=20,
        cache_write_tokens=30,
        output_tokens=1,
        served_model="m",
    ),
    "chat, in a result": _golden(
        JSON,
        b'{"result":{"response":"a","usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5}},"success":true}',
        _PLAIN,
        input_tokens=2,
        output_tokens=3,
    ),
    "embeddings, the sum alone": _golden(
        JSON,
        b'{"object":"list","data":[{"embedding":[1]}],"model":"v","usage":{"total_tokens":8}}',
        "total_tokens",
        input_tokens=8,
        output_tokens=0,
        served_model="v",
    ),
    "responses, incomplete": _golden(
        SSE,
        b'event: response.created\ndata: {"type":"response.created","response":{"id":"r","status":"in_progress",'
        b'"background":false,"model":"big-1","usage":null}}\n\n'
        b'event: response.incomplete\ndata: {"type":"response.incomplete","response":' + _RESPONSE + b"}\n\n",
        _RESPONSE_RAW,
        **_RESPONSE_USAGE,
    ),
    "images": _golden(
        JSON,
        b'{"created":1,"background":"opaque","data":[{"b64_json":"iVBORw0KGgo="}],"usage":{"total_tokens":100,'
        b'"input_tokens":50,"output_tokens":50,"input_tokens_details":{"text_tokens":10,"image_tokens":40}}}',
        "total_tokens input_tokens output_tokens input_tokens_details",
        input_tokens=50,
        output_tokens=50,
    ),
    "images, streamed": _golden(
        SSE,
        b'event: image_generation.partial_image\ndata: {"type":"image_generation.partial_image","b64_json":"AAAA"}\n\n'
        b'event: image_generation.completed\ndata: {"type":"image_generation.completed","b64_json":"AAAA","usage":'
        b'{"total_tokens":9,"input_tokens":4,"output_tokens":5,"input_tokens_details":{"text_tokens":4,'
        b'"image_tokens":0}}}\n\n',
        "total_tokens input_tokens output_tokens input_tokens_details",
        input_tokens=4,
        output_tokens=5,
    ),
    "speech, streamed": _golden(
        SSE,
        b'data: {"type":"speech.audio.delta","audio":"AAAA"}\n\ndata: {"type":"speech.audio.done","usage":'
        b'{"input_tokens":14,"output_tokens":101,"total_tokens":115}}\n\n',
        "input_tokens output_tokens total_tokens",
        input_tokens=14,
        output_tokens=101,
    ),
    "transcription, tokens": _golden(
        JSON,
        b'{"text":"a","usage":{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":0,'
        b'"audio_tokens":14},"output_tokens":45,"total_tokens":59}}',
        "type input_tokens input_token_details output_tokens total_tokens",
        input_tokens=14,
        output_tokens=45,
        audio_input_tokens=14,
    ),
    "transcription, streamed": _golden(
        SSE,
        b'data: {"type":"transcript.text.delta","delta":"a"}\n\ndata: {"type":"transcript.text.done","usage":'
        b'{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":10,"audio_tokens":4},'
        b'"output_tokens":31,"total_tokens":45}}\n\n',
        "type input_tokens input_token_details output_tokens total_tokens",
        input_tokens=14,
        output_tokens=31,
        audio_input_tokens=4,
    ),
    "translation, verbose": _golden(
        JSON,
        b'{"task":"translate","language":"german","duration":8.25,"text":"a","segments":[{"duration":1}],'
        b'"x_groq":{"id":"r"}}',
        "duration",
        seconds=8.25,
    ),
}
