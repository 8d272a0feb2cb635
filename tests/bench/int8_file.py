"""A network of ONNX with its sums in 8 bits, for the engines that camserve is measured against: ONNX Runtime's own static quantisation as its documentation
advises, weights by channel, planes by the least and the most that they have over photos. Usage: int8_file.py MODEL NET.onnx PHOTOS OUT.onnx
MODEL is camserve's file of the same network, which says how a photo is normalised; PHOTOS a folder of photos, each scaled to the network's size. OpenVINO
reads the same file."""
import pathlib
import sys

import onnxruntime.quantization as quantization

import model_file
import prepare

SUMS = ["Conv", "Gemm", "MatMul", "Add", "Clip", "Relu"]


class Photos(quantization.CalibrationDataReader):
    def __init__(self, model, folder):
        self.inputs = ({"x": model.seen(prepare.scaled(photo, model))} for photo in prepare.photos_in(folder))

    def get_next(self):
        return next(self.inputs, None)


def main(model, net, folder, out):
    simpler = out + ".simpler"
    quantization.quant_pre_process(net, simpler, skip_symbolic_shape=True)
    quantization.quantize_static(simpler, out, Photos(model_file.Model(model), folder), quant_format=quantization.QuantFormat.QDQ, per_channel=True,
                                 activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8, op_types_to_quantize=SUMS,
                                 extra_options={"ActivationSymmetric": False})
    pathlib.Path(simpler).unlink()


if __name__ == "__main__":
    main(*sys.argv[1:])
