import BitplanTensors
import Foundation

/// Reads the pickle of a PyTorch state dict, and nothing else.
///
/// A pickle is a program. This reader knows the opcodes and the names that a state dict is written with; it
/// builds tensors as descriptions, calls nothing, and refuses every other opcode and name. Texts and
/// containers are bounded by the bytes read, tuples by `deepestTuple`.
/// - Source: Python's `pickletools`; `torch/_utils.py` and `torch/serialization.py` for the names.
struct StateDictPickle {
    /// Where a tensor's numbers lie.
    struct Tensor {
        let storage: Storage
        let offset: Int
        let shape: [Int]
        let strides: [Int]
    }

    /// A block of numbers that tensors share.
    struct Storage: Equatable {
        let type: TorchElement
        /// Its file in the archive.
        let key: String
        let count: Int
    }

    private indirect enum Value {
        case none
        case flag(Bool)
        case integer(Int)
        case number
        case text(String)
        case global(String)
        case tuple([Value], depth: Int)
        case list(Items)
        case dictionary(Entries)
        case storage(Storage)
        case tensor(Tensor)
    }

    private final class Items {
        var values: [Value] = []
    }

    private final class Entries {
        var pairs: [(key: Value, value: Value)] = []
    }

    /// Tuples in tuples that are read; a state dict has 3.
    private static let deepestTuple = 32

    private let bytes: Data
    private let file: URL
    private var position: Int
    private var stack: [Value] = []
    private var marks: [Int] = []
    private var memo: [Int: Value] = [:]
    // Kept so that containers which hold each other can be taken apart at the end.
    private var lists: [Items] = []
    private var dictionaries: [Entries] = []

    /// What one pickle holds, and where it ends.
    typealias Read<Content> = (content: Content, end: Int)

    /// The tensors that a state dict names.
    ///
    /// - Parameters:
    ///   - bytes: the pickle, from its first byte; what stands behind it is not read.
    ///   - file: named in errors.
    /// - Throws: `FileError` where the pickle is truncated or damaged, holds an opcode or a name that a state
    ///   dict does not need, or is something else than a dictionary of tensors.
    static func tensors(_ bytes: Data, file: URL) throws(FileError) -> Read<[String: Tensor]> {
        var reader = StateDictPickle(bytes: bytes, file: file)
        defer { reader.takeApart() }
        guard case .dictionary(let entries) = try reader.run() else {
            throw reader.error("expected a dictionary of tensors")
        }
        var tensors: [String: Tensor] = [:]
        for (key, value) in entries.pairs {
            guard case .text(let name) = key else { throw reader.error("a key is not a string") }
            guard case .tensor(let tensor) = value else { throw reader.error("'\(name)' is not a tensor") }
            guard tensors.updateValue(tensor, forKey: name) == nil else {
                throw reader.error("tensor '\(name)' occurs twice")
            }
        }
        return (tensors, reader.position)
    }

    /// A list of texts; errors as `tensors(_:file:)`.
    static func texts(_ bytes: Data, file: URL) throws(FileError) -> Read<[String]> {
        var reader = StateDictPickle(bytes: bytes, file: file)
        defer { reader.takeApart() }
        guard case .list(let list) = try reader.run() else { throw reader.error("expected a list") }
        var texts: [String] = []
        for value in list.values {
            guard case .text(let text) = value else { throw reader.error("expected a list of strings") }
            texts.append(text)
        }
        return (texts, reader.position)
    }

    /// The truth values of a dictionary; errors as `tensors(_:file:)`.
    static func flags(_ bytes: Data, file: URL) throws(FileError) -> Read<[String: Bool]> {
        var reader = StateDictPickle(bytes: bytes, file: file)
        defer { reader.takeApart() }
        guard case .dictionary(let entries) = try reader.run() else {
            throw reader.error("expected a dictionary")
        }
        var flags: [String: Bool] = [:]
        for case (.text(let key), .flag(let flag)) in entries.pairs { flags[key] = flag }
        return (flags, reader.position)
    }

    private init(bytes: Data, file: URL) {
        self.bytes = bytes
        self.file = file
        position = bytes.startIndex
    }

    private func takeApart() {
        for list in lists { list.values = [] }
        for dictionary in dictionaries { dictionary.pairs = [] }
    }

    /// What lies on the stack at the end.
    private mutating func run() throws(FileError) -> Value {
        while true {
            let code = UInt8(try unsigned(1))
            guard let opcode = Opcode(rawValue: code) else { throw refused(code) }
            if opcode == .stop { return try pop() }
            try execute(opcode)
        }
    }

    private mutating func execute(_ opcode: Opcode) throws(FileError) {
        switch opcode {
        case .stop: break
        case .proto:
            let version = try unsigned(1)
            guard version <= 5 else { throw error("protocol \(version): expected at most 5") }
        case .frame: _ = try unsigned(8)
        case .mark: marks.append(stack.count)
        case .none: stack.append(.none)
        case .newTrue: stack.append(.flag(true))
        case .newFalse: stack.append(.flag(false))
        case .binInt1: stack.append(.integer(try unsigned(1)))
        case .binInt2: stack.append(.integer(try unsigned(2)))
        case .binInt: stack.append(.integer(Int(Int32(truncatingIfNeeded: try unsigned(4)))))
        case .long1: stack.append(.integer(try long(try unsigned(1))))
        case .binFloat:
            _ = try take(8)
            stack.append(.number)
        case .shortBinUnicode: stack.append(.text(try text(try unsigned(1))))
        case .binUnicode: stack.append(.text(try text(try unsigned(4))))
        case .global: stack.append(try global(try line(), try line()))
        case .stackGlobal:
            guard case .text(let name) = try pop(), case .text(let module) = try pop() else {
                throw error("STACK_GLOBAL without names")
            }
            stack.append(try global(module, name))
        case .emptyTuple: stack.append(.tuple([], depth: 0))
        case .tuple1: try makeTuple(1)
        case .tuple2: try makeTuple(2)
        case .tuple3: try makeTuple(3)
        case .tuple: stack.append(try tuple(try popMarked()))
        case .emptyList: stack.append(makeList())
        case .emptyDictionary: stack.append(makeDictionary())
        case .append: try append([try pop()])
        case .appends: try append(try popMarked())
        case .setItem:
            let value = try pop()
            try set([try pop(), value])
        case .setItems: try set(try popMarked())
        case .binPut: memo[try unsigned(1)] = try top()
        case .longBinPut: memo[try unsigned(4)] = try top()
        case .memoize: memo[memo.count] = try top()
        case .binGet: try get(try unsigned(1))
        case .longBinGet: try get(try unsigned(4))
        case .binPersistentID: stack.append(.storage(try storage(try pop())))
        case .reduce:
            let arguments = try pop()
            stack.append(try reduce(try pop(), arguments))
        case .build:
            // Attributes of an OrderedDict (`_metadata`): nothing that a tensor needs.
            guard case .dictionary = try pop(), case .dictionary = try top() else {
                throw error("BUILD of something else than a dictionary")
            }
        }
    }

    // MARK: What the opcodes make

    private mutating func makeList() -> Value {
        let list = Items()
        lists.append(list)
        return .list(list)
    }

    private mutating func makeDictionary() -> Value {
        let dictionary = Entries()
        dictionaries.append(dictionary)
        return .dictionary(dictionary)
    }

    private mutating func makeTuple(_ count: Int) throws(FileError) {
        var values: [Value] = []
        for _ in 0..<count { values.append(try pop()) }
        stack.append(try tuple(values.reversed()))
    }

    private func tuple(_ values: [Value]) throws(FileError) -> Value {
        var depth = 0
        for case .tuple(_, let inner) in values { depth = max(depth, inner + 1) }
        guard depth <= Self.deepestTuple else {
            throw error("tuples nested more than \(Self.deepestTuple) deep")
        }
        return .tuple(values, depth: depth)
    }

    private mutating func append(_ values: [Value]) throws(FileError) {
        guard case .list(let list) = try top() else { throw error("items for something that is no list") }
        list.values += values
    }

    private mutating func set(_ values: [Value]) throws(FileError) {
        guard case .dictionary(let dictionary) = try top(), values.count % 2 == 0 else {
            throw error("entries for something that is no dictionary")
        }
        for index in stride(from: 0, to: values.count, by: 2) {
            dictionary.pairs.append((values[index], values[index + 1]))
        }
    }

    private func global(_ module: String, _ name: String) throws(FileError) -> Value {
        let full = "\(module).\(name)"
        guard Self.callables.contains(full) || TorchElement(storageClass: full) != nil else {
            throw error("the name '\(full)' is not part of a state dict: refused, nothing was run")
        }
        return .global(full)
    }

    private static let callables: Set<String> = [
        "collections.OrderedDict", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter",
    ]

    /// `('storage', <class>, key, location, count)`, and before PyTorch 1.6 a view into another storage,
    /// which is not read.
    private func storage(_ value: Value) throws(FileError) -> Storage {
        guard case .tuple(let parts, _) = value, parts.count >= 5, case .text("storage") = parts[0],
            case .global(let type) = parts[1], let element = TorchElement(storageClass: type),
            case .text(let key) = parts[2],
            case .integer(let count) = parts[4], count >= 0
        else { throw error("a persistent id that is no storage") }
        if parts.count > 5 {
            guard case .none = parts[5] else {
                throw error("a storage that is a view of another is not supported")
            }
        }
        return Storage(type: element, key: key, count: count)
    }

    private mutating func reduce(_ callable: Value, _ arguments: Value) throws(FileError) -> Value {
        guard case .global(let name) = callable, case .tuple(let arguments, _) = arguments else {
            throw error("REDUCE of something that is no function")
        }
        switch name {
        case "collections.OrderedDict":
            guard arguments.isEmpty else { throw error("'\(name)' with arguments") }
            return makeDictionary()
        case "torch._utils._rebuild_tensor_v2": return .tensor(try tensor(arguments))
        case "torch._utils._rebuild_parameter":
            guard let first = arguments.first, case .tensor = first else {
                throw error("'\(name)' without a tensor")
            }
            return first
        default: throw error("'\(name)' called: it is a type, not a function")
        }
    }

    /// `(storage, offset, shape, strides, requires_grad, hooks)`, every element inside the storage.
    private func tensor(_ arguments: [Value]) throws(FileError) -> Tensor {
        guard arguments.count >= 4, case .storage(let storage) = arguments[0],
            case .integer(let offset) = arguments[1],
            let shape = integers(arguments[2]), let strides = integers(arguments[3]),
            shape.count == strides.count
        else { throw error("a tensor without storage, offset, shape and strides") }
        guard offset >= 0, shape.allSatisfy({ $0 >= 0 }), strides.allSatisfy({ $0 >= 0 }) else {
            throw error("a tensor with negative offset \(offset), shape \(shape) or strides \(strides)")
        }
        let tensor = Tensor(storage: storage, offset: offset, shape: shape, strides: strides)
        guard tensor.fits else {
            throw error(
                "a tensor of shape \(shape), strides \(strides) and offset \(offset) reaches beyond its storage of \(storage.count)"
            )
        }
        return tensor
    }

    private func integers(_ value: Value) -> [Int]? {
        guard case .tuple(let values, _) = value else { return nil }
        var integers: [Int] = []
        for value in values {
            guard case .integer(let integer) = value else { return nil }
            integers.append(integer)
        }
        return integers
    }

    // MARK: Stack and bytes

    private func top() throws(FileError) -> Value {
        guard let value = stack.last, stack.count > marks.last ?? 0 else { throw error("the stack is empty") }
        return value
    }

    private mutating func pop() throws(FileError) -> Value {
        let value = try top()
        stack.removeLast()
        return value
    }

    private mutating func popMarked() throws(FileError) -> [Value] {
        guard let mark = marks.popLast() else { throw error("a mark is missing") }
        let values = Array(stack[mark...])
        stack.removeLast(values.count)
        return values
    }

    private mutating func get(_ index: Int) throws(FileError) {
        guard let value = memo[index] else { throw error("memo \(index) was never stored") }
        stack.append(value)
    }

    private mutating func take(_ count: Int) throws(FileError) -> Data {
        guard count <= bytes.endIndex - position else {
            throw error("truncated: \(count) bytes needed, \(bytes.endIndex - position) left")
        }
        position += count
        return bytes[position - count..<position]
    }

    private mutating func unsigned(_ width: Int) throws(FileError) -> Int {
        let value = try take(width).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard let number = Int(exactly: value) else { throw error("a length of \(value)") }
        return number
    }

    private mutating func long(_ width: Int) throws(FileError) -> Int {
        guard width <= 8 else { throw error("an integer of \(width) bytes") }
        let taken = try take(width)
        let fill: UInt64 = (taken.last ?? 0) & 0x80 == 0 ? 0 : .max
        return Int(bitPattern: UInt(taken.reversed().reduce(fill) { $0 << 8 | UInt64($1) }))
    }

    private mutating func text(_ count: Int) throws(FileError) -> String {
        guard let text = String(validating: try take(count), as: UTF8.self) else {
            throw error("a string that is not UTF-8")
        }
        return text
    }

    /// A line of text, without its line feed.
    private mutating func line() throws(FileError) -> String {
        guard let end = bytes[position...].firstIndex(of: 0x0A) else {
            throw error("truncated: a name without end")
        }
        let text = try text(end - position)
        position += 1
        return text
    }

    private func error(_ message: String) -> FileError {
        FileError(file, "pickle, byte \(position): \(message)")
    }

    private func refused(_ code: UInt8) -> FileError {
        let name = Opcode.refusedNames[code].map { " (\($0))" } ?? ""
        return error(
            "opcode 0x\(String(code, radix: 16))\(name) is not part of a state dict: refused, nothing was run"
        )
    }
}
