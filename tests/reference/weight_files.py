"""Writes files of weights as others write them: .npy by Python 2 and 3, PyTorch state dicts legacy and zip. Used by convert_weights.py.

No PyTorch: stand-ins of its classes have the same names, so Python's own pickler writes the same bytes. Python 2's pickles are written by hand,
because Python 3 never writes its opcodes."""
import io, pickle, struct, sys, types, zipfile
import numpy as np

# ---- the form that Python 2 wrote: protocol 2, byte strings, memo numbers from 1 (cPickle) ----


class Python2:
    """cPickle of Python 2 for dicts, str, ndarray and dtype. Strings and dtypes that occur again are fetched from the memo."""

    def __init__(self):
        self.out, self.memo, self.next = [b'\x80\x02'], {}, 1

    def put(self, key=None):
        self.out.append(b'q' + bytes([self.next]) if self.next < 256 else b'r' + struct.pack('<I', self.next))
        if key is not None:
            self.memo[key] = self.next
        self.next += 1

    def got(self, key):
        at = self.memo.get(key)
        if at is not None:
            self.out.append(b'h' + bytes([at]) if at < 256 else b'j' + struct.pack('<I', at))
        return at is not None

    def name(self, module, name):
        if not self.got((module, name)):
            self.out.append(f'c{module}\n{name}\n'.encode())
            self.put((module, name))

    def bytes(self, text, shared=True):
        if not shared or not self.got(text):
            self.out += [b'U' + bytes([len(text)]) if len(text) < 256 else b'T' + struct.pack('<i', len(text)), text]
            self.put(text if shared else None)

    def int(self, value):
        self.out.append(b'K' + bytes([value]) if 0 <= value < 256 else b'M' + struct.pack('<H', value) if 0 <= value < 65536 else b'J' + struct.pack('<i', value))

    def ints(self, values):
        if not values:
            self.out.append(b')')
            return
        if len(values) > 3:
            self.out.append(b'(')
        for value in values:
            self.int(value)
        self.out.append({1: b'\x85', 2: b'\x86', 3: b'\x87'}.get(len(values), b't'))
        self.put()

    def dtype(self, name, order, flags):
        if self.got(('dtype', name, order)):
            return
        self.name('numpy', 'dtype')
        self.bytes(name)
        self.out.append(b'K\x00K\x01\x87')
        self.put()
        self.out.append(b'R')
        self.put(('dtype', name, order))
        self.out.append(b'(K\x03')
        self.bytes(order)
        self.out.append(b'NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK' + bytes([flags]) + b't')
        self.put()
        self.out.append(b'b')

    def array(self, array, objects=None):
        self.name('numpy.core.multiarray', '_reconstruct')
        self.name('numpy', 'ndarray')
        self.out.append(b'K\x00\x85')
        self.put()
        self.bytes(b'b')
        self.out.append(b'\x87')
        self.put()
        self.out.append(b'R')
        self.put()
        self.out.append(b'(K\x01')
        fortran = False
        if objects is not None:
            self.ints(array)
            self.dtype(b'O8', b'|', 63)
            self.out.append(b'\x89]')
            self.put()
            self.value(objects)
            self.out.append(b'a')
        else:
            self.ints(array.shape)
            self.dtype(array.dtype.str[1:].encode(), array.dtype.str[:1].encode(), 0)
            fortran = array.flags.f_contiguous and not array.flags.c_contiguous
            self.out.append(b'\x88' if fortran else b'\x89')
            self.bytes(array.tobytes('F' if fortran else 'C'), shared=False)
        self.out.append(b't')
        self.put()
        self.out.append(b'b')

    def value(self, value):
        if isinstance(value, np.ndarray):
            return self.array(value)
        self.out.append(b'}')
        self.put()
        self.out.append(b'(')
        for key, item in value.items():
            self.bytes(key.encode())
            self.value(item)
        self.out.append(b'u')


def npy(header_shape, pickled, version=1):
    header = f"{{'descr': '|O', 'fortran_order': False, 'shape': {header_shape}, }}".encode()
    wide = '<H' if version == 1 else '<I'
    fill = -(8 + struct.calcsize(wide) + len(header) + 1) % 16
    header += b' ' * fill + b'\n'
    return b'\x93NUMPY' + bytes([version, 0]) + struct.pack(wide, len(header)) + header + pickled


def npy_python2(tree, shape=()):
    p = Python2()
    p.array(shape, objects=tree)
    return npy(shape, b''.join(p.out) + b'.')


def npy_python3(tree, protocol, version=1):
    boxed = np.empty((), object)
    boxed[()] = tree
    return npy((), pickle.dumps(boxed, protocol), version)


# ---- PyTorch's two formats: torch/serialization.py, _legacy_save and _save ----

torch, utils = types.ModuleType('torch'), types.ModuleType('torch._utils')
sys.modules.update({'torch': torch, 'torch._utils': utils})
DTYPES = {'DoubleStorage': '<f8', 'FloatStorage': '<f4', 'HalfStorage': '<f2', 'LongStorage': '<i8'}
for storage_name in DTYPES:
    setattr(torch, storage_name, type(storage_name, (), {'__module__': 'torch'}))
for function_name in ('_rebuild_tensor_v2', '_rebuild_parameter'):
    function = types.FunctionType((lambda *a: None).__code__, {}, function_name)
    function.__module__, function.__qualname__ = 'torch._utils', function_name
    setattr(utils, function_name, function)


class Storage:
    def __init__(self, kind, numbers):
        self.kind, self.numbers = kind, np.ascontiguousarray(numbers, DTYPES[kind]).ravel()
        self.key = None


class Tensor:
    """A view of a storage, as PyTorch pickles it."""

    def __init__(self, storage, offset, size, stride, parameter=False):
        self.storage, self.offset, self.size, self.stride, self.parameter = storage, offset, size, stride, parameter

    def __reduce_ex__(self, protocol):
        if self.parameter:
            return utils._rebuild_parameter, (Tensor(self.storage, self.offset, self.size, self.stride), True, dict())
        return utils._rebuild_tensor_v2, (self.storage, self.offset, tuple(self.size), tuple(self.stride), False, dict())


def tensor(array, kind='FloatStorage', order=None, **more):
    """A tensor whose axes lie in memory in the given order (the slowest first), as `permute` leaves them."""
    order = list(range(array.ndim)) if order is None else order
    memory = array.transpose(order)
    steps = [s // memory.itemsize for s in np.ascontiguousarray(memory).strides]
    return Tensor(Storage(kind, memory), 0, array.shape, [steps[order.index(axis)] for axis in range(array.ndim)], **more)


def pickled(value, storages, legacy):
    out = io.BytesIO()

    class Pickler(pickle._Pickler if legacy else pickle.Pickler):  # the pure one, too: it is what made the old files
        def persistent_id(self, item):
            if not isinstance(item, Storage):
                return None
            if item not in storages:
                item.key = str(94000000000000 + 64 * len(storages)) if legacy else str(len(storages))
                storages.append(item)
            return ('storage', getattr(torch, item.kind), item.key, 'cpu', item.numbers.size) + ((None,) if legacy else ())
    Pickler(out, 2).dump(value)
    return out.getvalue()


def pth_legacy(value):
    storages = []
    body = pickled(value, storages, True)
    storages.sort(key=lambda s: s.key[::-1])  # not the order of use
    out = b''.join(pickle.dumps(v, 2) for v in (0x1950a86a20f9469cfc6c, 1001, {'protocol_version': 1001, 'little_endian': True, 'type_sizes': {'short': 2, 'int': 4, 'long': 4}}))
    out += body + pickle.dumps([s.key for s in storages], 2)
    return out + b''.join(struct.pack('<q', s.numbers.size) + s.numbers.tobytes() for s in storages)


def pth_zip(value, compression=zipfile.ZIP_STORED, byteorder='little', folder='archive'):
    storages, out = [], io.BytesIO()
    body = pickled(value, storages, False)
    with zipfile.ZipFile(out, 'w', compression) as archive:
        def add(name, data):
            archive.writestr(zipfile.ZipInfo(f'{folder}/{name}', (1980, 1, 1, 0, 0, 0)), data, compression)
        add('data.pkl', body)
        add('byteorder', byteorder)
        for s in storages:
            add(f'data/{s.key}', s.numbers.astype(s.numbers.dtype.newbyteorder('<' if byteorder == 'little' else '>')).tobytes())
        add('version', '3\n')
    return out.getvalue()
