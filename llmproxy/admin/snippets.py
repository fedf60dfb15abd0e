"""Lines to paste: how a program is given a token, with the address of the proxy in them."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

UNKNOWN = "https://llmproxy.example"
"""Stands for an address that is not known here."""


@frozen
class Snippet:
    """
    @ivar name: for its heading.
    @ivar text: what to paste.
    """

    name: str
    text: str


def snippets(address: str, secret: str, apis: Sequence[tuple[str, str]]) -> list[Snippet]:
    """
    @param address: of the proxy, without a slash at its end; C{""} where it is not known.
    @param apis: the APIs that there are: names, and what kind they are (L{kind_of}), the default one first.
    """
    address = address or UNKNOWN
    base = _openai_base(address, apis)
    found = [
        Snippet(
            "curl",
            f"curl -N {base}/chat/completions \\\n"
            f"  -H 'Authorization: Bearer {secret}' \\\n"
            "  -H 'Content-Type: application/json' \\\n"
            """  -d '{"model": "gpt-4o-mini", "stream": true, "messages": [{"role": "user", "content": "Hello"}]}'""",
        ),
        Snippet(
            "Python",
            "from openai import OpenAI\n\n"
            f'client = OpenAI(base_url="{base}", api_key="{secret}")\n'
            'messages = [{"role": "user", "content": "Hello"}]\n'
            'answer = client.chat.completions.create(model="gpt-4o-mini", messages=messages)\n'
            "print(answer.choices[0].message.content)",
        ),
        Snippet(
            "Node.js",
            'import OpenAI from "openai";\n\n'
            f'const client = new OpenAI({{ baseURL: "{base}", apiKey: "{secret}" }});\n'
            "const answer = await client.chat.completions.create({\n"
            '  model: "gpt-4o-mini",\n'
            '  messages: [{ role: "user", content: "Hello" }],\n'
            "});\n"
            "console.log(answer.choices[0].message.content);",
        ),
        Snippet("Environment", f"export OPENAI_BASE_URL={base}\nexport OPENAI_API_KEY={secret}"),
    ]
    anthropic = next((at for at, (_, kind) in enumerate(apis) if kind == "anthropic"), None)
    if anthropic is not None:
        place = address if anthropic == 0 else f"{address}/{apis[anthropic][0]}"
        text = f"export ANTHROPIC_BASE_URL={place}\nexport ANTHROPIC_AUTH_TOKEN={secret}\nclaude"
        found.append(Snippet("Claude Code", text))
    return found


def kind_of(name: str, url: str) -> str:
    """What an API speaks, as far as its name and its place tell: C{anthropic}, or C{openai}, which most others do."""
    return "anthropic" if "anthropic" in f"{name} {url}".lower() or "claude" in name.lower() else "openai"


def _openai_base(address: str, apis: Sequence[tuple[str, str]]) -> str:
    for at, (name, kind) in enumerate(apis):
        if kind == "openai":
            return f"{address}/v1" if at == 0 else f"{address}/{name}/v1"
    return f"{address}/v1"
