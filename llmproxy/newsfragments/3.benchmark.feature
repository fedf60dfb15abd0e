`llmproxy benchmark` measures a gateway beside what is behind it: closed and open loops, rates within p99 bounds, streams, memory; with tables, JSON and SVG.
