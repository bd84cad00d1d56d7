#!/usr/bin/env python3
"""Archives that a reader of pytorch_model.bin must refuse: pickles that call, sizes that do not fit, damage of every kind.

usage: checkpoints.py [OUT]        (default: Tests/ModelsTests/Goldens/hostile of this checkout; standard library only)

Nothing here is ever unpickled. OUT/<case>.bin and OUT/cases.json: what the error of each must say.
"""
import io, json, os, pickle, shutil, struct, sys, zipfile, zlib

out = sys.argv[1] if len(sys.argv) > 1 else f'{os.path.dirname(os.path.abspath(__file__))}/../../Tests/ModelsTests/Goldens/hostile'
shutil.rmtree(out, ignore_errors=True)
os.makedirs(out)
cases = {}


def archive(pickled, storages=(('0', b'\0' * 16),), compression=zipfile.ZIP_STORED, extra=()):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', compression) as z:
        for name, data in [('m/data.pkl', pickled), *((f'm/data/{k}', v) for k, v in storages), *extra]:
            z.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, compression)
    return buffer.getvalue()


def case(name, data, expected):
    open(f'{out}/{name}.bin', 'wb').write(data)
    cases[name] = expected


def text(s): return b'X' + struct.pack('<I', len(s)) + s.encode()
def integer(i): return b'J' + struct.pack('<i', i) if -2**31 <= i < 2**31 else b'\x8a\x08' + struct.pack('<q', i)
def integers(values): return b'(' + b''.join(integer(v) for v in values) + b't'
def storage(count, kind='FloatStorage', key='0'): return b'(' + text('storage') + f'ctorch\n{kind}\n'.encode() + text(key) + text('cpu') + integer(count) + b'tQ'


def tensor(shape, strides, offset=0, count=4, **kw):
    return b'ctorch._utils\n_rebuild_tensor_v2\n(' + storage(count, **kw) + integer(offset) + integers(shape) + integers(strides) + b'\x89ccollections\nOrderedDict\n)RtR'


def state(*pairs): return b'\x80\x02}' + b''.join(text(k) + v + b's' for k, v in pairs) + b'.'


good = state(('w', tensor([2, 2], [2, 1])))
case('good', archive(good), '')


class Call:
    def __init__(self, function, *arguments): self.function, self.arguments = function, arguments
    def __reduce__(self): return self.function, self.arguments


marker = '/tmp/bitplan-hostile-pickle-ran'
case('os-system', archive(pickle.dumps({'w': Call(os.system, f'touch {marker}')}, 2)), 'system')
case('eval', archive(pickle.dumps({'w': Call(eval, '1+1')}, 2)), 'eval')
case('stack-global', archive(pickle.dumps({'w': Call(exec, 'pass')}, 4)), 'exec')
case('getattr', archive(pickle.dumps({'w': Call(getattr, 'a', 'upper')}, 2)), 'getattr')
case('newobj', archive(b'\x80\x02ccollections\nOrderedDict\n)\x81.'), '0x81 (NEWOBJ)')
case('inst', archive(b'(S\'true\'\nios\nsystem\n.'), 'opcode 0x53 (STRING)')
case('obj', archive(b'\x80\x02(cposix\nsystem\no.'), 'posix.system')
case('extension', archive(b'\x80\x02\x82\x01.'), '0x82 (EXT1)')
case('call-a-type', archive(b'\x80\x02ctorch\nFloatStorage\n)R.'), 'it is a type')
case('ordered-dict-arguments', archive(b'\x80\x02ccollections\nOrderedDict\n(]tR.'), 'with arguments')
case('newline-in-name', archive(b'\x80\x02ctorch\nload\n)R.'), "'torch.load'")
case('truncated-pickle', archive(good[:-20]), 'truncated')
case('empty-pickle', archive(b''), 'truncated')
case('no-stop', archive(b'\x80\x02}'), 'truncated')
case('huge-text', archive(b'\x80\x02X\xff\xff\xff\xffabc.'), 'truncated')
case('huge-long', archive(b'\x80\x02\x8a\xff' + b'\x01' * 255 + b'.'), 'an integer of 255 bytes')
case('stack-underflow', archive(b'\x80\x02R.'), 'the stack is empty')
case('no-mark', archive(b'\x80\x02t.'), 'a mark is missing')
case('memo-missing', archive(b'\x80\x02h\x07.'), 'memo 7')
case('recursive-memo', archive(b'\x80\x02}q\x00' + text('self') + b'h\x00s.'), "'self' is not a tensor")
case('recursive-list', archive(b'\x80\x02]q\x00h\x00a.'), 'expected a dictionary')
case('deep-tuples', archive(b'\x80\x02)' + b'\x85' * 30000 + b'.'), 'nested')
case('deep-lists', archive(b'\x80\x02' + b']' * 30000 + b'a' * 29999 + b'.'), 'expected a dictionary')
case('many-marks', archive(b'\x80\x02' + b'(' * 30000 + b'.'), 'the stack is empty')
case('not-a-dict', archive(b'\x80\x02K\x01.'), 'expected a dictionary')
case('not-a-tensor', archive(b'\x80\x02}' + text('epoch') + b'K\x03s.'), "'epoch' is not a tensor")
case('twice', archive(state(('w', tensor([4], [1])), ('w', tensor([4], [1])))), "'w' occurs twice")
case('too-large-for-storage', archive(state(('w', tensor([3, 2], [2, 1])))), 'reaches beyond its storage')
case('offset-outside', archive(state(('w', tensor([2, 2], [2, 1], offset=1)))), 'reaches beyond its storage')
case('stride-outside', archive(state(('w', tensor([2, 2], [3, 1])))), 'reaches beyond its storage')
case('overflow', archive(state(('w', tensor([2**40, 2**40], [2**40, 1])))), 'reaches beyond its storage')
# No elements, but products of the other extents overflow: as the shape says it, and as strides are checked, from its end.
case('overflow-without-elements', archive(state(('w', tensor([1000] * 7 + [0], [1] * 8)))), 'reaches beyond its storage')
case('overflow-from-the-end', archive(state(('w', tensor([0] + [1000] * 7, [1] + [1000 ** i for i in range(6, -1, -1)])))), 'reaches beyond its storage')
case('without-elements', archive(state(('w', tensor([0, 3], [3, 1], count=0))), storages=(('0', b''),)), 'expected shape [2, 2], got [0, 3]')
case('expanded', archive(state(('w', tensor([2**40], [0])))), 'reaches beyond its storage')
case('negative-size', archive(state(('w', tensor([-1, 2], [2, 1])))), 'negative')
case('negative-stride', archive(state(('w', tensor([2, 2], [-2, 1], offset=2)))), 'negative')
case('rank-differs', archive(state(('w', tensor([2, 2], [1])))), 'a tensor without')
case('storage-size', archive(state(('w', tensor([2, 2], [2, 1], count=400)))), "storage '0' has 16 bytes, expected 400")
case('storage-missing', archive(state(('w', tensor([2, 2], [2, 1], key='7')))), "storage '7' is missing")
case('storage-path', archive(state(('w', tensor([2, 2], [2, 1], key='../../data.pkl')))), 'is missing')
case('storage-type', archive(state(('w', tensor([2, 2], [2, 1], kind='ComplexFloatStorage')))), "'torch.ComplexFloatStorage'")
case('storage-count', archive(state(('w', tensor([2, 2], [2, 1], count=2**62)))), 'has 16 bytes')
case('compressed', archive(good, compression=zipfile.ZIP_DEFLATED), 'is compressed')
case('two-pickles', archive(good, extra=[('n/data.pkl', good)]), 'expected one data.pkl in the archive, got 2')
case('big-endian', archive(good, extra=[('m/byteorder', b'big')]), "byte order 'big'")
# The form of before PyTorch 1.6.
magic = b'\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.'
machine = b'\x80\x02}' + text('little_endian') + b'\x88s.'
keys = b'\x80\x02]' + text('0') + b'a.'
numbers = struct.pack('<q4f', 4, 1, 2, 3, 4)
case('legacy', magic + machine + good + keys + numbers, '')
case('legacy-call', magic + machine + pickle.dumps({'w': Call(os.system, f'touch {marker}')}, 2) + keys + numbers, 'system')
case('legacy-big-endian', magic + b'\x80\x02}' + text('little_endian') + b'\x89s.' + good + keys + numbers, "byte order 'big'")
case('legacy-truncated', magic + machine + good + keys + numbers[:-1], 'truncated: storage')
case('legacy-no-count', magic + machine + good + keys + numbers[:5], 'truncated: storage')
case('legacy-no-keys', magic + machine + good, 'truncated')
case('legacy-huge-count', magic + machine + good + keys + struct.pack('<q4f', -1, 1, 2, 3, 4), 'truncated: storage')
case('legacy-other-key', magic + machine + good + keys.replace(b'0a.', b'1a.') + numbers, "storage '1' belongs to no tensor")
case('legacy-keys', magic + machine + good + b'\x80\x02]K\x01a.' + numbers, 'a list of strings')
case('legacy-count-differs', magic + machine + good + keys + struct.pack('<q3f', 3, 1, 2, 3), 'has 12 bytes, expected 4')
case('legacy-view', magic + machine + good.replace(b'tQ', text('view') + b'tQ', 1) + keys + numbers, 'a view of another')
whole = archive(good)
case('truncated-archive', whole[:-30], 'no ZIP archive')
case('no-archive', b'\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.' + b'\x80\x02M\xe8\x03.', 'no ZIP archive')
case('empty', b'', 'no ZIP archive')
end = whole.rindex(b'PK\x05\x06')
case('directory-outside', whole[:end + 16] + struct.pack('<I', 0x7fffffff) + whole[end + 20:], 'truncated')
first = whole.index(b'PK\x01\x02')
case('entry-size', whole[:first + 20] + struct.pack('<II', 1 << 30, 1 << 30) + whole[first + 28:], 'reach beyond')
case('entry-offset', whole[:first + 42] + struct.pack('<I', 1 << 30) + whole[first + 46:], 'truncated')
case('nan', archive(good, storages=(('0', struct.pack('<4f', 1, float('nan'), 2, 3)),)), 'nan at element 1')
case('integers', archive(state(('w', tensor([2, 2], [2, 1], kind='IntStorage')))), 'expected float, half or bfloat16')
# An archive with the sizes of its entries in ZIP64 fields, as PyTorch writes large ones.
pieces, directory = io.BytesIO(), b''
for name, data in [(b'm/data.pkl', good), (b'm/data/0', struct.pack('<4f', 1, 2, 3, 4))]:
    at = pieces.tell()
    wide = struct.pack('<HHQQ', 1, 16, len(data), len(data))
    pieces.write(struct.pack('<IHHHHHIIIHH', 0x04034b50, 45, 0, 0, 0, 0x21, zlib.crc32(data), 0xFFFFFFFF, 0xFFFFFFFF, len(name), len(wide)) + name + wide + data)
    wide = struct.pack('<HHQQQ', 1, 24, len(data), len(data), at)
    directory += struct.pack('<IHHHHHHIIIHHHHHII', 0x02014b50, 45, 45, 0, 0, 0, 0x21, zlib.crc32(data), 0xFFFFFFFF, 0xFFFFFFFF, len(name), len(wide), 0, 0, 0, 0, 0xFFFFFFFF) + name + wide
start = pieces.tell()
pieces.write(directory)
record = pieces.tell()
pieces.write(struct.pack('<IQHHIIQQQQ', 0x06064b50, 44, 45, 45, 0, 0, 2, 2, len(directory), start))
pieces.write(struct.pack('<IIQI', 0x07064b50, 0, record, 1))
pieces.write(struct.pack('<IHHHHIIH', 0x06054b50, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0))
case('zip64', pieces.getvalue(), '')
assert zipfile.ZipFile(io.BytesIO(pieces.getvalue())).read('m/data/0') == struct.pack('<4f', 1, 2, 3, 4)
json.dump(cases, open(f'{out}/cases.json', 'w'), indent=1)
print(len(cases), 'cases')
