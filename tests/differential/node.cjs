// A reader of bodies as servers in Node have them: see readers.py.
"use strict";
const busboy = require(process.argv[2]);
const querystring = require("querystring");

function readJson(content) {
  const document = JSON.parse(content.toString("utf8"));
  if (document === null || typeof document !== "object" || Array.isArray(document)) return null;
  return Object.hasOwn(document, "model") ? [JSON.stringify(document.model)] : [];
}

function readForm(content) {
  const found = querystring.parse(content.toString("utf8")).model;
  return found === undefined ? [] : [].concat(found);
}

function readMultipart(contentType, content) {
  return new Promise((resolve) => {
    const values = [];
    let parser;
    try {
      parser = busboy({ headers: { "content-type": contentType } });
    } catch {
      return resolve(null);
    }
    parser.on("field", (name, value) => name === "model" && values.push(value));
    parser.on("file", (name, stream) => { stream.resume(); stream.on("error", () => {}); if (name === "model") values.push("(a file)"); });
    parser.on("error", () => resolve(null));
    parser.on("close", () => resolve(values));
    parser.end(content);
  });
}

async function main() {
  const lines = require("fs").readFileSync(0, "latin1").trim().split("\n");
  for (const line of lines) {
    const [kind, contentType, encoded] = JSON.parse(line);
    const content = Buffer.from(encoded, "base64");
    let values = null;
    try {
      if (kind === "json") values = readJson(content);
      else if (kind === "form") values = readForm(content);
      else values = await readMultipart(contentType, content);
    } catch {
      values = null;
    }
    process.stdout.write(JSON.stringify(values) + "\n");
  }
}

main();
