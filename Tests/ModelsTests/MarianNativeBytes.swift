import Foundation

/// Bytes of files as Marian and NumPy write them, with whatever is to be wrong in them.
enum Bytes {
    static func number(_ value: UInt64, _ width: Int = 8) -> Data {
        withUnsafeBytes(of: value.littleEndian) { Data($0.prefix(width)) }
    }

    struct Tensor {
        var name: Data
        var code: UInt64 = 0x404
        var shape: [Int32] = [2]
        var data = Data(repeating: 0, count: 8)
        var length: UInt64?
        var rank: UInt64?

        init(_ name: String, code: UInt64 = 0x404, shape: [Int32] = [2], data: Data? = nil) {
            self.name = Data(name.utf8) + [0]
            self.code = code
            self.shape = shape
            self.data = data ?? Data(repeating: 0, count: 8)
        }
    }

    static func settings(_ text: String = "type: transformer\n") -> Tensor {
        Tensor(
            "special:model.yml", code: 0x101, shape: [Int32(text.utf8.count + 1)],
            data: Data(text.utf8) + [0])
    }

    static func binary(
        _ tensors: [Tensor], version: UInt64 = 1, count: UInt64? = nil, filling: UInt64 = 0
    ) -> Data {
        var data = number(version) + number(count ?? UInt64(tensors.count))
        for tensor in tensors {
            data += number(UInt64(tensor.name.count)) + number(tensor.code)
            data += number(tensor.rank ?? UInt64(tensor.shape.count))
            data += number(tensor.length ?? UInt64(tensor.data.count))
        }
        for tensor in tensors { data += tensor.name }
        for extent in tensors.flatMap(\.shape) { data += number(UInt64(UInt32(bitPattern: extent)), 4) }
        data += number(filling)
        for tensor in tensors { data += tensor.data }
        return data
    }

    static func array(_ header: String, _ data: Data, length: UInt64? = nil) -> Data {
        Data([0x93] + Array("NUMPY".utf8) + [1, 0]) + number(length ?? UInt64(header.utf8.count), 2)
            + Data(header.utf8) + data
    }

    static func archive(_ members: [(name: String, data: Data)], method: UInt64 = 0) -> Data {
        var (data, directory) = (Data(), Data())
        for (name, content) in members {
            let sizes = number(0, 4) + number(UInt64(content.count), 4) + number(UInt64(content.count), 4)
            let names = number(UInt64(name.utf8.count), 2)
            directory +=
                Data("PK\u{1}\u{2}".utf8) + number(20, 2) + number(20, 2) + number(0, 2) + number(method, 2)
                + number(0, 4) + sizes + names + number(0, 8) + number(0, 4) + number(UInt64(data.count), 4)
                + Data(name.utf8)
            data +=
                Data("PK\u{3}\u{4}".utf8) + number(20, 2) + number(0, 2) + number(method, 2) + number(0, 4)
                + sizes + names + number(0, 2) + Data(name.utf8) + content
        }
        return data + directory + Data("PK\u{5}\u{6}".utf8) + number(0, 4)
            + number(UInt64(members.count), 2) + number(UInt64(members.count), 2)
            + number(UInt64(directory.count), 4) + number(UInt64(data.count), 4) + number(0, 2)
    }
}
