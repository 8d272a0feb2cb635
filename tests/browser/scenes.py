"""Photos for the browser tests, and the service's own answers to compare with."""
import base64
import io
import json
import urllib.parse
import urllib.request

import numpy
from PIL import Image

WIDTH, HEIGHT = 360, 240


def picture(width=WIDTH, height=HEIGHT, seed=1):
    """Smooth colours and a disc: the corners differ, so that a turned picture shows."""
    y, x = numpy.mgrid[0:height, 0:width]
    image = numpy.stack([x * 255 / width, y * 255 / height, 255 - x * 200 / width], -1)
    image[(x - width * 0.35) ** 2 + (y - height * 0.4) ** 2 < (height / 4) ** 2] = (240, 190, 40 * seed % 255)
    return Image.fromarray(image.astype(numpy.uint8))


def ask(url, path, **parameters):
    """The service's own answer."""
    query = urllib.parse.urlencode(parameters)
    request = urllib.request.Request(f"{url}/cam?{query}", path.read_bytes(), {"Content-Type": "application/octet-stream"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as response:
        return json.load(response)


def pixels(picture):
    """[height, width, 3] of a file's bytes, or of their base64."""
    data = base64.b64decode(picture) if isinstance(picture, str) else picture
    return numpy.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=int)
