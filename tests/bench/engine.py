"""One of the engines that camserve is measured against, kept ready in a process of its own. Usage: engine.py ncnn|onnxruntime|openvino MODEL THREADS
MODEL.onnx, MODEL.ncnn.param, MODEL.ncnn.bin and MODEL.fc.npy are there (prepare.py). Reads commands from standard input, answers each with a line of JSON:
  look IN.npy OUT.npz   runs once and saves logits, features
  run N                 milliseconds of each of N forward passes with the class maps of the three likeliest labels"""
import json
import sys
import time

import numpy


def open_onnxruntime(model, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(model + ".onnx", options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(["logits", "features"], {"x": x})


def open_openvino(model, threads):
    import openvino
    core = openvino.Core()
    compiled = core.compile_model(model + ".onnx", "CPU", {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"})
    request = compiled.create_infer_request()

    def run(x):
        seen = request.infer(x, share_inputs=True, share_outputs=True)
        return seen["logits"], seen["features"]
    return run


def open_ncnn(model, threads):
    import ncnn
    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = net.opt.use_bf16_storage = False
    net.load_param(model + ".ncnn.param")
    net.load_model(model + ".ncnn.bin")

    def run(x):
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat(x[0]))
        return [numpy.asarray(extractor.extract(name)[1])[None] for name in ("out0", "out1")]
    return run


def explain(run, x, fc):
    logits, features = run(x)
    best = numpy.argpartition(logits[0], -3)[-3:]
    return fc[best] @ features.reshape(fc.shape[1], -1)


def main():
    kind, model, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    run, fc, x = {"onnxruntime": open_onnxruntime, "openvino": open_openvino, "ncnn": open_ncnn}[kind](model, threads), numpy.load(model + ".fc.npy"), None
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        command, *arguments = line.split()
        if command == "look":
            x = numpy.load(arguments[0])
            logits, features = run(x)
            numpy.savez(arguments[1], logits=logits, features=features)
            print(json.dumps("done"), flush=True)
        else:
            times = []
            for _ in range(int(arguments[0])):
                begin = time.perf_counter()
                explain(run, x, fc)
                times.append((time.perf_counter() - begin) * 1e3)
            print(json.dumps(times), flush=True)


if __name__ == "__main__":
    main()
