"""Clients of HTTP/2 that others have written, over TLS and ALPN: curl, httpx, Node and Go."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import Any

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue

from .certificates import Authority
from .conversation import Scripted
from .harness import ProxyTestCase

LARGE = 300_000
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % LARGE + b"y" * LARGE
GO = shutil.which("go", path=os.environ.get("PATH", "") + ":/usr/local/go/bin")

PYTHON = """
import asyncio, json, os, ssl
try:
    import httpx
except ImportError:
    import httpx2 as httpx
async def main():
    context = ssl.create_default_context(cafile=os.environ["CA"])
    async with httpx.AsyncClient(http2=True, verify=context, headers={"authorization": os.environ["KEY"]}) as client:
        async def ask(number):
            response = await client.post(os.environ["URL"], content=b"x" * (1000 * number))
            return [response.http_version, response.status_code, len(response.content)]
        print(json.dumps(await asyncio.gather(*[ask(number) for number in range(1, 11)])))
asyncio.run(main())
"""

NODE = """
const http2 = require('http2'), fs = require('fs'), url = new URL(process.env.URL);
const session = http2.connect(url.origin, {ca: fs.readFileSync(process.env.CA)});
const ask = number => new Promise((done, failed) => {
  const request = session.request({':method': 'POST', ':path': url.pathname, authorization: process.env.KEY});
  let status = 0, size = 0;
  request.on('response', head => { status = head[':status']; });
  request.on('data', piece => { size += piece.length; });
  request.on('end', () => done(['HTTP/2', status, size]));
  request.on('error', failed);
  request.end(Buffer.alloc(1000 * number, 'x'));
});
Promise.all(Array.from({length: 10}, (_, number) => ask(number + 1))).then(told => {
  console.log(JSON.stringify(told));
  session.close();
});
"""

GOLANG = """
package main

import (
	"bytes"; "crypto/tls"; "crypto/x509"; "encoding/json"; "fmt"; "io"; "net/http"; "os"; "sync"
)

func main() {
	pem, _ := os.ReadFile(os.Getenv("CA"))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: pool}}
	client := &http.Client{Transport: transport}
	told := make([][]any, 10)
	var wait sync.WaitGroup
	for number := range told {
		wait.Add(1)
		go func() {
			defer wait.Done()
			body := bytes.Repeat([]byte("x"), 1000 * (number + 1))
			request, _ := http.NewRequest("POST", os.Getenv("URL"), bytes.NewReader(body))
			request.Header.Set("Authorization", os.Getenv("KEY"))
			response, failure := client.Do(request)
			if failure != nil { fmt.Fprintln(os.Stderr, failure); os.Exit(1) }
			content, failure := io.ReadAll(response.Body)
			if failure != nil { fmt.Fprintln(os.Stderr, failure); os.Exit(1) }
			told[number] = []any{response.Proto, response.StatusCode, len(content)}
		}()
	}
	wait.Wait()
	text, _ := json.Marshal(told)
	fmt.Println(string(text))
}
"""


class ClientTests(ProxyTestCase):
    """Ten uploads at once on one connection, each with a large answer."""

    timeout = 120

    def make_upstream(self) -> Scripted:
        return Scripted()

    def listen(self) -> str:
        self.authority = Authority(self.mktemp())
        certificate, key = self.authority.issue("localhost")
        return f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"

    async def run_client(self, *command: str) -> Any:
        """What a client that is another process tells on its standard output."""
        self.upstream.begin([ANSWER] * 10, False)
        environment = {
            **os.environ,
            "CA": self.authority.ca_file,
            "KEY": f"Bearer {self.secret}",
            "URL": f"https://localhost:{self.port}/v1/x",
        }
        output, errors, code = await getProcessOutputAndValue(command[0], command[1:], environment, reactor=reactor)
        self.assertEqual(code, 0, errors)
        return output.decode()

    async def check(self, *command: str) -> None:
        told = json.loads(await self.run_client(*command))
        self.assertEqual([pair[1:] for pair in told], [[200, LARGE]] * 10)
        self.assertEqual({pair[0][:6] for pair in told}, {"HTTP/2"})
        self.assertEqual({record.ended for record in self.records}, {"complete"})
        self.assertEqual(len(self.records), 10)

    async def test_curl(self) -> None:
        """curl, with nghttp2."""
        curl = shutil.which("curl")
        if curl is None:
            self.skipTest("curl is not installed")
        shown = "%{http_version} %{http_code} %{size_download}\\n"
        one = ["-sS", "--http2", "--cacert", self.authority.ca_file, "-o", os.devnull, "-w", shown]
        one += ["-H", f"Authorization: Bearer {self.secret}", "--data-binary", "x" * 70_000]
        command = [curl, "--parallel"]
        for number in range(10):
            command += [*(["--next"] if number else []), *one, f"https://localhost:{self.port}/v1/x"]
        told = (await self.run_client(*command)).split("\n")[:-1]
        self.assertEqual(told, [f"2 200 {LARGE}"] * 10)

    async def test_httpx(self) -> None:
        """httpx, with h2."""
        await self.check(sys.executable, "-c", PYTHON)

    async def test_node(self) -> None:
        """Node's own client."""
        node = shutil.which("node")
        if node is None:
            self.skipTest("Node is not installed")
        await self.check(node, "-e", NODE)

    async def test_go(self) -> None:
        """Go's own client."""
        if GO is None:
            self.skipTest("Go is not installed")
        directory = self.mktemp()
        os.makedirs(directory)
        path = os.path.join(directory, "main.go")
        with open(path, "w") as file:
            file.write(GOLANG)
        await self.check(GO, "run", path)
