// An upstream over TLS that speaks HTTP/2 and HTTP/1.1, as Node does: node http2upstream.mjs KEY CERT [STREAMS]
import http2 from "node:http2";
import fs from "node:fs";
import crypto from "node:crypto";

const [key, cert, streams] = process.argv.slice(2);
const settings = streams ? { maxConcurrentStreams: Number(streams) } : {};
const server = http2.createSecureServer({
  key: fs.readFileSync(key), cert: fs.readFileSync(cert), allowHTTP1: true, settings,
});
let sessions = 0;
server.on("session", (session) => {
  sessions += 1;
  session.served = 0;
});

function whole(request) {
  return new Promise((resolve) => {
    const hash = crypto.createHash("sha256");
    let size = 0;
    request.on("data", (piece) => { hash.update(piece); size += piece.length; });
    request.on("end", () => resolve(`${size} ${hash.digest("hex")} ${JSON.stringify(request.trailers)}`));
  });
}

server.on("request", async (request, response) => {
  const path = request.url.split("?")[0];
  const second = request.httpVersionMajor === 2;
  response.setHeader("X-Version", request.httpVersion);
  response.setHeader("X-Sessions", String(sessions));
  if (path === "/v1/bytes") {
    const size = Number(request.url.split("?")[1]);
    response.setHeader("Content-Length", String(size));
    const piece = Buffer.alloc(65536, "0123456789abcdef");
    let left = size;
    const more = () => {
      while (left > 0) {
        const next = piece.subarray(0, Math.min(left, piece.length));
        left -= next.length;
        if (!response.write(next)) { response.once("drain", more); return; }
      }
      response.end();
    };
    more();
  } else if (path === "/v1/events") {
    response.setHeader("Content-Type", "text/event-stream");
    for (let number = 0; number < 20; number += 1) {
      response.write(`data: ${number}\n\n`);
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    response.end("data: [DONE]\n\n");
  } else if (path === "/v1/trailers") {
    response.setHeader("Trailer", "x-sum");
    response.write("some");
    response.addTrailers({ "x-sum": "7" });
    response.end();
  } else if (path === "/v1/early") {
    response.writeEarlyHints({ link: "</style.css>; rel=preload" });
    response.end("late");
  } else if (path === "/v1/reset") {
    if (second) request.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    else request.socket.destroy();
  } else if (path === "/v1/cut") {
    response.setHeader("Content-Length", "100");
    response.write("some");
    setTimeout(() => {
      if (second) request.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
      else request.socket.destroy();
    }, 20);
  } else if (path === "/v1/leave") {
    // Every fifth request of a connection is its last one.
    const session = second ? request.stream.session : null;
    if (session) {
      session.served += 1;
      if (session.served % 5 === 0) session.goaway(0, request.stream.id);
    }
    const said = await whole(request);
    setTimeout(() => response.end(said), 5);
  } else if (path === "/v1/status") {
    response.statusCode = Number(request.url.split("?")[1]);
    response.end(response.statusCode === 204 || response.statusCode === 304 ? undefined : "said");
  } else {
    const said = await whole(request);
    response.setHeader("X-Fields", JSON.stringify(Object.keys(request.headers).filter((each) => each[0] !== ":")));
    response.end(said);
  }
});
// It ends with the test that has started it, however that ends.
process.stdin.resume();
process.stdin.on("end", () => process.exit());
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
