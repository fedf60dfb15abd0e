// A reader of bodies as servers in Go have them: see readers.py.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/textproto"
	"os"
)

func latin1(text string) string {
	out := make([]byte, 0, len(text))
	for _, r := range text {
		out = append(out, byte(r))
	}
	return string(out)
}

func read(kind, contentType string, content []byte) []string {
	values := []string{}
	if kind == "json" {
		var document struct {
			Model *json.RawMessage `json:"model"`
		}
		// As most servers do: what follows the first value is not looked at.
		if json.NewDecoder(bytes.NewReader(content)).Decode(&document) != nil {
			return nil
		}
		if document.Model != nil {
			var value any
			json.Unmarshal(*document.Model, &value)
			text, _ := json.Marshal(value)
			values = append(values, string(text))
		}
		return values
	}
	request, _ := http.NewRequest("POST", "http://x/", bytes.NewReader(content))
	request.Header[textproto.CanonicalMIMEHeaderKey("content-type")] = []string{latin1(contentType)}
	if kind == "form" {
		// An error leaves the fields that could be read, and many servers do not look at it.
		request.ParseForm()
		return append(values, request.PostForm["model"]...)
	}
	if request.ParseMultipartForm(1<<20) != nil {
		return nil
	}
	values = append(values, request.MultipartForm.Value["model"]...)
	for range request.MultipartForm.File["model"] {
		values = append(values, "(a file)")
	}
	return values
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<26)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for lines.Scan() {
		var body [3]string
		json.Unmarshal(lines.Bytes(), &body)
		content, _ := base64.StdEncoding.DecodeString(body[2])
		line, _ := json.Marshal(read(body[0], body[1], content))
		out.Write(append(line, '\n'))
	}
}
