"""What the figures were measured on."""
import datetime
import importlib.metadata
import os
import re

import prepare

PACKAGES = ("ncnn", "onnxruntime", "openvino", "opencv-python-headless", "fastapi", "uvicorn")


def cpus():
    return sorted(os.sched_getaffinity(0))


def describe():
    text = open("/proc/cpuinfo").read()
    found = {key: re.search(rf"^{key}\s*:\s*(.*)$", text, re.M) for key in ("model name", "cpu family", "model", "flags")}
    found = {key: match[1] if match else "" for key, match in found.items()}
    bench = prepare.camserve_json("bench", "--layers", "--json", "--runs", "1", "--threads", "1", model=prepare.LITE0.path)
    sets = [name for name, flag in (("AVX2", "avx2"), ("FMA", "fma"), ("AVX-512", "avx512f")) if flag in found["flags"].split()]
    return {"cpu": f"{found['model name']} (family {found['cpu family']}, model {found['model']})", "instruction_sets": sets, "cores": len(cpus()), "kernels": bench["isa"],
            "gflops_a_core": bench["host"]["gflops"], "memory_gbytes": bench["host"]["gbytes"], "load": os.getloadavg()[0],
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
            "packages": {name: importlib.metadata.version(name) for name in PACKAGES}}
