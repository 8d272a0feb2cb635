#!/usr/bin/python3
"""Makes what test_convert.c reads: one tiny network's weights in every form that `camserve convert` knows, and what must come of them.

usage: convert_weights.py             tests/fixtures/convert/* anew (the same bytes each time)
       convert_weights.py --vgg16cam OUT.npy   a file of the size and layout of vgg16CAM.npy, with random weights"""
import json, os, struct, sys, zipfile
import numpy as np
from weight_files import Storage, Tensor, npy_python2, npy_python3, pth_legacy, pth_zip, tensor

# ---- the tiny network: every operator, 12 x 16, three classes ----

NODES = [  # name, operator, inputs, attributes, channels out
    ('stem', 'conv', ['input'], dict(stride=[2, 2], padding='same'), (4, 3, 3, 3)),
    ('stem_norm', 'batch_norm', ['stem'], {}, 4),
    ('stem_relu', 'relu6', ['stem_norm'], {}, None),
    ('deep', 'conv', ['stem_relu'], dict(padding=[1, 1, 1, 1], groups=4, bias=True), (4, 1, 3, 3)),
    ('deep_norm', 'batch_norm', ['deep'], {}, 4),
    ('deep_norm2', 'batch_norm', ['deep_norm'], {}, 4),
    ('sum', 'add', ['deep_norm2', 'stem_relu'], {}, None),
    ('small', 'max_pool', ['sum'], dict(kernel=[2, 2], stride=[2, 2], padding='valid'), None),
    ('mean', 'avg_pool', ['sum'], dict(kernel=[3, 3], stride=[2, 2], padding='same'), None),
    ('both', 'concat', ['small', 'mean'], {}, None),
    ('halves', 'conv', ['both'], dict(padding='valid', groups=2, bias=True), (6, 4, 2, 1)),
    ('last', 'relu', ['halves'], {}, None),
    ('gap', 'gap', ['last'], {}, None),
    ('fc', 'fc', ['gap'], dict(bias=True), (3, 6)),
]
EPSILON = 1e-3


def made_weights():
    r, of = np.random.default_rng(7), {}
    for name, op, _, more, shape in NODES:
        if op in ('conv', 'fc'):
            of[name + '.weight'] = r.standard_normal(shape).astype('<f4')
            if more.get('bias'):
                of[name + '.bias'] = r.standard_normal(shape[0]).astype('<f4')
        if op == 'batch_norm':
            for part in ('weight', 'bias', 'running_mean'):
                of[f'{name}.{part}'] = r.standard_normal(shape).astype('<f4')
            of[name + '.running_var'] = r.uniform(.1, 2, shape).astype('<f4')
    return of


def architecture(numpy_names):
    """The JSON text; names and layouts as PyTorch has them, or as the NumPy dict has them."""
    parts = dict(weight='weights', bias='biases', running_mean='mean', running_var='variance') if numpy_names else {}
    named = lambda name, part: f'{name}/{parts[part]}' if numpy_names else f'{name}.{part}'
    nodes = []
    for name, op, inputs, more, _ in NODES:
        node = dict(name=name, op=op, inputs=inputs, **{k: v for k, v in more.items() if k != 'bias'})
        if op in ('conv', 'fc'):
            node['weight'] = named(name, 'weight')
        if more.get('bias'):
            node['bias'] = named(name, 'bias')
        if op == 'batch_norm':
            node.update(scale=named(name, 'weight'), shift=named(name, 'bias'), mean=named(name, 'running_mean'), variance=named(name, 'running_var'), epsilon=EPSILON)
        nodes.append(node)
    head = dict(version=1, name='tiny', origin='made by tests/reference/convert_weights.py', license='MIT',
                input=dict(height=12, width=16, channels='BGR', mean=[103.939, 116.779, 123.68], scale=[.01, .02, .03], resize='aspect', multiple=4, max_side=32),
                map=dict(resize='tf1'), classes=[['n00000001', 'one'], ['n00000002', 'two, "2"'], ['n00000003', 'three']],
                source=dict(conv='HWIO', fc='IO') if numpy_names else dict(conv='OIHW', fc='OI'), ignore=['*.num_batches_tracked', 'unused/*'])
    text = ',\n'.join(f'  {json.dumps(k)}: {json.dumps(v)}' for k, v in head.items())
    return '{\n' + text + ',\n  "nodes": [\n    ' + ',\n    '.join(json.dumps(n) for n in nodes) + '\n  ]\n}\n'


def numpy_tree(of, fortran=(), big=()):
    """{'stem': {'weights': HWIO ...}} in an order that is not the network's."""
    parts, tree = dict(weight='weights', bias='biases', running_mean='mean', running_var='variance'), {}
    for name in sorted(of, reverse=True):
        node, part = name.split('.')
        array = of[name]
        array = np.ascontiguousarray(array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T)
        if name in fortran:
            array = np.asfortranarray(array)
        if name in big:
            array = array.astype('>f4')
        tree.setdefault(node, {})[parts[part]] = array
    tree['unused'] = {'weights': np.zeros(2, '<f4')}
    return tree


def tensorflow_js(tree):
    """model.json and its files, by name: two groups, the first in two files that end within a tensor."""
    flat = {f'{node}/{part}': np.ascontiguousarray(array, '<f4') for node, parts in tree.items() for part, array in parts.items()}
    names, files, manifest = list(flat), {}, []
    for number, group in enumerate((names[:9], names[9:]), 1):
        data = b''.join(flat[name].tobytes() for name in group)
        cut = len(data) // 2 + 1 if number == 1 else len(data)
        shards = {f'group{number}-shard{i}.bin': part for i, part in enumerate((data[:cut], data[cut:]), 1) if part}
        files.update(shards)
        manifest.append(dict(paths=list(shards), weights=[dict(name=name, shape=list(flat[name].shape), dtype='float32') for name in group]))
    topology = dict(keras_version='2.2.4-tf', model_config=dict(class_name='Model', config={}))
    files['model.json'] = json.dumps(dict(format='layers-model', modelTopology=topology, weightsManifest=manifest)).encode()
    return files


def state_dict(of, permuted=True, **more):
    from collections import OrderedDict
    out = OrderedDict()
    for name, array in of.items():
        out[name] = tensor(array, order=[2, 3, 1, 0] if permuted and array.ndim == 4 else [1, 0] if permuted and array.ndim == 2 else None, **more)
        if name.endswith('running_var'):
            out[name.replace('running_var', 'num_batches_tracked')] = tensor(np.array(5, '<i8'), 'LongStorage')
    shared = Storage('FloatStorage', np.concatenate([np.full(3, 99, '<f4'), of['fc.bias'], np.full(2, 99, '<f4'), of['halves.bias']]))
    out['fc.bias'] = Tensor(shared, 3, (3,), (1,))          # two tensors in one storage
    out['halves.bias'] = Tensor(shared, 8, (6,), (1,))
    out._metadata = OrderedDict([('', {'version': 1})])     # pickled as the state of the OrderedDict: BUILD
    return out


# ---- what must come of it, and the logits, in float64 ----


def folded(of):
    out = {}
    conv_of = {}
    for name, op, inputs, _, shape in NODES:
        if op in ('conv', 'fc'):
            out[name] = [of[name + '.weight'].astype(float), of[name + '.bias'].astype(float) if name + '.bias' in of else np.zeros(shape[0])]
        if op == 'batch_norm':
            conv_of[name] = conv_of.get(inputs[0], inputs[0])
            weight, bias = out[conv_of[name]]
            scale, shift, mean, var = (of[f'{name}.{p}'].astype(float) for p in ('weight', 'bias', 'running_mean', 'running_var'))
            factor = scale / np.sqrt(var + EPSILON)
            out[conv_of[name]] = [weight * factor.reshape(-1, 1, 1, 1), (bias - mean) * factor + shift]
    tensors = {}
    for name, (weight, bias) in out.items():
        tensors[name + '.weight'] = (weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight).astype('<f4')
        tensors[name + '.bias'] = bias.astype('<f4')
    return tensors


def safetensors(tensors):
    header, data = {}, b''
    for name, array in tensors.items():
        raw = np.ascontiguousarray(array).tobytes()
        header[name] = dict(dtype='F32', shape=list(array.shape), data_offsets=[len(data), len(data) + len(raw)])
        data += raw
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 64)
    return struct.pack('<Q', len(text)) + text + data


def forward(of, x):
    """The network before folding: batch norms as they are, loops over kernels; x [H,W,3] -> logits."""
    value = {'input': x}

    def windows(a, kernel, stride, padding, fill):
        pads = []
        for axis in range(2):
            size = a.shape[axis]
            if padding == 'same':
                total = max((-(-size // stride[axis]) - 1) * stride[axis] + kernel[axis] - size, 0)
                pads.append((total // 2, total - total // 2))
            else:
                pads.append((0, 0) if padding == 'valid' else (padding[axis], padding[axis + 2]))
        a = np.pad(a, (*pads, (0, 0)), constant_values=fill)
        h, w = ((a.shape[i] - kernel[i]) // stride[i] + 1 for i in range(2))
        return [[a[i:i + h * stride[0]:stride[0], j:j + w * stride[1]:stride[1]][:h, :w] for j in range(kernel[1])] for i in range(kernel[0])]

    for name, op, inputs, more, shape in NODES:
        a = value[inputs[0]]
        stride, padding = more.get('stride', [1, 1]), more.get('padding', 'valid')
        if op == 'conv':
            groups, weight, bias = more.get('groups', 1), of[name + '.weight'].astype(float), of.get(name + '.bias', np.zeros(shape[0]))
            parts = windows(a, shape[2:], stride, padding, 0)
            ins, outs = a.shape[2] // groups, shape[0] // groups
            y = np.concatenate([sum(parts[i][j][..., g * ins:(g + 1) * ins] @ weight[g * outs:(g + 1) * outs, :, i, j].T for i in range(shape[2]) for j in range(shape[3]))
                                for g in range(groups)], -1) + bias
        elif op == 'batch_norm':
            scale, shift, mean, var = (of[f'{name}.{p}'].astype(float) for p in ('weight', 'bias', 'running_mean', 'running_var'))
            y = scale * (a - mean) / np.sqrt(var + EPSILON) + shift
        elif op == 'max_pool':
            y = np.max(sum(windows(a, more['kernel'], stride, padding, -np.inf), []), 0)
        elif op == 'avg_pool':
            y = np.nanmean(sum(windows(a, more['kernel'], stride, padding, np.nan), []), 0)
        elif op == 'fc':
            y = of[name + '.weight'].astype(float) @ a + of[name + '.bias']
        else:
            y = {'relu': lambda: np.maximum(a, 0), 'relu6': lambda: np.clip(a, 0, 6), 'add': lambda: a + value[inputs[1]], 'gap': lambda: a.mean((0, 1)),
                 'concat': lambda: np.concatenate([value[i] for i in inputs], -1)}[op]()
        value[name] = y
    return value['fc']


def made_input(height, width, mean, scale, bgr):
    """cam_made_input of engine/network/graph.c."""
    noise, x = 1, np.zeros((height, width, 3), np.float32)
    for r in range(height):
        for c in range(width):
            for k in range(3):
                noise = (noise * 1664525 + 1013904223) & 0xffffffff
                wave = (c * (3 + k) + r * (5 - k)) % 448
                channel = 2 - k if bgr else k
                level = (wave if wave < 224 else 447 - wave) // 2 + ((c // 16 + r // 16) % 2) * 64 + (noise >> 27)
                x[r, c, channel] = (np.float32(level) - np.float32(mean[channel])) * np.float32(scale[channel])
    return x.astype(float)


def vgg16cam(path):
    r, tree, c = np.random.default_rng(1), {}, 3
    for block, (o, n) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), 1):
        for k in range(1, n + 1):
            tree[f'conv{block}_{k}'] = {'weights': (r.standard_normal((3, 3, c, o)) * (2 / (9 * c)) ** .5).astype('<f4'), 'biases': np.full(o, .01, '<f4')}
            c = o
    tree['CAM_conv'] = {'biases': np.full(1024, .01, '<f4'), 'weights': np.asfortranarray((r.standard_normal((3, 3, 256, 1024)) * (2 / (9 * 256)) ** .5).astype('<f4'))}
    tree['CAM_fc'] = {'biases': np.full(1000, 1e3, '<f4'), 'weights': (r.standard_normal((1024, 1000)) * .05).astype('<f4')}
    order = sorted(tree, key=lambda name: name[::-1])
    with open(path, 'wb') as out:
        out.write(npy_python2({name: tree[name] for name in order}))


def main():
    if sys.argv[1:2] == ['--vgg16cam']:
        return vgg16cam(sys.argv[2])
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../fixtures/convert')
    os.makedirs(folder, exist_ok=True)
    of = made_weights()
    tree = numpy_tree(of, fortran=['halves.weight', 'fc.weight'], big=['stem_norm.bias'])
    plain = state_dict(of)
    logits = forward(of, made_input(12, 16, [103.939, 116.779, 123.68], [.01, .02, .03], True))
    files = {
        'numpy.json': architecture(True).encode(), 'torch.json': architecture(False).encode(),
        'expected.safetensors': safetensors(folded(of)),
        'expected.logits': ''.join(f'{v:.17g}\n' for v in logits).encode(),
        'python2.npy': npy_python2(tree), 'python2-one.npy': npy_python2(tree, (1,)),
        'python3-protocol2.npy': npy_python3(tree, 2), 'python3-protocol3.npy': npy_python3(tree, 3), 'python3-protocol4.npy': npy_python3(tree, 4, 2),
        'numpy2.npy': npy_python3(tree, 3).replace(b'cnumpy.core.', b'cnumpy._core.'),
        'python3-protocol5.npy': npy_python3(tree, 5, 3),
        'legacy.pth': pth_legacy(plain), 'legacy-nested.pth': pth_legacy({'epoch': 3, 'state_dict': state_dict(of, permuted=False, parameter=True)}),
        'stored.pth': pth_zip(plain), 'deflated.pth': pth_zip({'model': plain, 'loss': .5}, zipfile.ZIP_DEFLATED, folder='tiny'),
        'big-endian.pth': pth_zip(state_dict(of), byteorder='big'),
    }
    files.update(tensorflow_js(tree))
    for name, data in files.items():
        with open(os.path.join(folder, name), 'wb') as out:
            out.write(data)


if __name__ == '__main__':
    main()
