"""Plain sockets, for what no HTTP library would send."""
import socket
import ssl

from server import PATIENCE


class Wire:
    """One TCP connection. Use as a context."""

    def __init__(self, server, timeout=PATIENCE):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=timeout)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)
        return self

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self.buffer += data
        return bool(data)

    def response(self):
        """(status, headers in lower case, body) of the next response; (None, {}, b"") if the server closed without one."""
        while b"\r\n\r\n" not in self.buffer:
            if not self._more():
                return None, {}, self.buffer
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
        if status == 100:
            return self.response()
        size = int(headers.get("content-length", 0))
        while len(self.buffer) < size and self._more():
            pass
        body, self.buffer = self.buffer[:size], self.buffer[size:]
        return status, headers, body

    def closed(self):
        """True once the server has closed; what it sent before is in buffer. socket.timeout if it never does."""
        while self._more():
            pass
        return True


class TlsWire(Wire):
    """The same over TLS; version: the only one it offers."""

    def __init__(self, server, version=None, timeout=PATIENCE):
        super().__init__(server, timeout)
        context = ssl.create_default_context(cafile=server.certificate)
        if version:
            context.set_ciphers("ALL:@SECLEVEL=0")  # else OpenSSL itself refuses what is old
            context.minimum_version = context.maximum_version = version
        try:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        except BaseException:
            self.socket.close()
            raise


def request(method="POST", target="/cam", body=b"", headers=(), length=None):
    """A request as bytes; length None: the body's own; False: no Content-Length."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *headers]
    if length is not False:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
