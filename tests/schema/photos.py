"""What schemathesis cannot know from /openapi.json: what a photo is, which model is served, and which classes it has. Loaded by it (SCHEMATHESIS_HOOKS); the photos come
from `run` as files."""
import base64
import os
import pathlib

import schemathesis
from hypothesis import strategies

MODEL = "vgg16-cam"  # the one that `run` serves
PHOTOS = [p.read_bytes() for p in sorted(pathlib.Path(os.environ["CAMSERVE_PHOTOS"]).iterdir())]
photos = strategies.sampled_from(PHOTOS)
schemathesis.openapi.format("binary", photos)
schemathesis.openapi.format("photo-in-base64", photos.map(lambda photo: base64.b64encode(photo).decode()))
for kind in ("image/jpeg", "image/png", "image/webp", "image/bmp", "application/octet-stream"):
    schemathesis.openapi.media_type(kind, photos)


@schemathesis.hook
def before_load_schema(context, raw_schema):
    del raw_schema["paths"]["/cam"]["post"]["requestBody"]["content"]["*/*"]  # it cannot make an example of any type
    body = raw_schema["components"]["schemas"]["JsonBody"]["properties"]
    body["image"]["format"] = "photo-in-base64"
    for parameter in ("Model", "ModelName"):
        raw_schema["components"]["parameters"][parameter]["schema"] = {"enum": [MODEL]}
    infer = raw_schema["paths"]["/v2/models/{name}/infer"]["post"]  # binary data it cannot make
    raw_schema["components"]["schemas"]["V2Input"]["required"].append("data")
    del raw_schema["components"]["schemas"]["V2Input"]["properties"]["parameters"], infer["requestBody"]["content"]["application/octet-stream"]
    infer["parameters"].remove({"$ref": "#/components/parameters/JsonLength"})
    known_classes(raw_schema["components"]["parameters"]["Classes"]["schema"], rf"^{CLASS}(,{CLASS}){{0,9}}$")
    known_classes(body["classes"], rf"^{CLASS}$")
    for minus in (raw_schema["components"]["parameters"]["Minus"]["schema"], body["minus"]):
        known_classes(minus, rf"^{CLASS}$")


CLASS = "(n0(1440764|1443537|2124075)|[0-9]{1,3}|Samoyed)"


def known_classes(schema, pattern):
    """Classes of ImageNet in the place of any text and any number."""
    for value in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        known_classes(value, pattern)
    if isinstance(schema, dict) and schema.get("type") == "string":
        schema["pattern"] = pattern
    if isinstance(schema, dict) and schema.get("type") == "integer":
        schema["maximum"] = 999


@schemathesis.hook
def before_call(context, case, kwargs):
    """A parameter that stands in the query and in the body, too, is refused, which a schema cannot say: in what is to be accepted the query keeps it. And coolwarm goes
    with minus only."""
    if case.meta.generation.mode.is_positive and isinstance(case.body, dict):
        for name in case.query or ():
            case.body.pop(name, None)
    if case.meta.generation.mode.is_positive and isinstance(case.body, dict):
        inner = case.body.get("parameters")  # of KServe's bodies
        if isinstance(inner, dict) and inner.get("colormap") == "coolwarm":
            inner.setdefault("minus", "3")
        for tensor in case.body.get("inputs", ()) if case.path.endswith("/infer") else ():
            tensor["shape"] = [len(tensor["data"])]
    if case.meta.generation.mode.is_positive:
        given = {**(case.query or {}), **(case.body if isinstance(case.body, dict) else {})}
        if given.get("colormap") == "coolwarm" and "minus" not in given:  # which wants it
            case.query = {**(case.query or {}), "minus": "3"}


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """One part instead of a list of parts is wrong by the schema, and the same bytes in a form. A NUL in a text is refused wherever it stands, which no schema says."""
    if type(failure).__name__ == "RejectedPositiveData" and "character NUL" in response.text:
        return False
    same = case.media_type == "multipart/form-data" and isinstance(case.body, dict) and isinstance(case.body.get("image"), bytes)
    return not (same and type(failure).__name__ == "AcceptedNegativeData")
