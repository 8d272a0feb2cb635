-- Script of wrk: the same photo again and again, in one buffer made once. BODY is a file; the last line printed is JSON.
local file = assert(io.open(os.getenv("BODY"), "rb"))
wrk.method, wrk.body, wrk.headers["Content-Type"] = "POST", file:read("*a"), "image/jpeg"
file:close()

function done(summary, latency)
  local e = summary.errors
  print(string.format('{"requests": %d, "seconds": %.6f, "bytes": %d, "errors": %d, "min_ms": %.3f, "p50_ms": %.3f, "p99_ms": %.3f}', summary.requests,
    summary.duration / 1e6, summary.bytes, e.connect + e.read + e.write + e.status + e.timeout, latency.min / 1e3, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3))
end
