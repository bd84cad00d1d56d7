import BitplanTensors
import Foundation
import Testing

/// A directory for one test.
final class TemporaryDirectory: Sendable {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "tensors-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func file(_ name: String) -> URL { url.appending(path: name) }

    func contents() throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: url.path).sorted()
    }
}

/// Writing and reading safetensors files.
@Suite struct SafetensorsTests {
    private static let declarations: [SafetensorsWriter.Declaration] = [
        .init(name: "plain", type: .float32, shape: [3, 5]), .init(name: "half", type: .float16, shape: [7]),
        .init(name: "a \"quoted\\name\"\n\u{1}ü", type: .uint8, shape: [2, 3, 4]),
        .init(name: "empty", type: .int8, shape: [0, 9]), .init(name: "scalar", type: .int64, shape: []),
        .init(name: "brain", type: .bfloat16, shape: [4]), .init(name: "words", type: .int32, shape: [1, 1]),
    ]

    private func bytes(_ declaration: SafetensorsWriter.Declaration, seed: UInt64) -> Data {
        var generator = SeededGenerator(seed: seed &+ UInt64(declaration.name.utf8.count))
        let count = declaration.shape.reduce(declaration.type.sizeInBytes, *)
        return Data((0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) })
    }

    private func write(to file: URL, seed: UInt64 = 5) throws {
        try SafetensorsWriter.write(
            Self.declarations, metadata: ["format": "test", "a\"b": "c\\d"], to: file,
            bytes: { bytes($0, seed: seed) })
    }

    @Test func readsWhatItWrites() throws {
        let directory = try TemporaryDirectory()
        let file = directory.file("a.safetensors")
        try write(to: file)
        let tensors = try Safetensors(file)
        #expect(tensors.entries.count == Self.declarations.count)
        #expect(tensors.metadata == ["format": "test", "a\"b": "c\\d"])
        for declaration in Self.declarations {
            let entry = try #require(tensors.entries[declaration.name])
            #expect(entry.type == declaration.type && entry.shape == declaration.shape)
            #expect(try tensors.bytes(declaration.name) == bytes(declaration, seed: 5))
            #expect(try tensors.packed(declaration.name).bytes == bytes(declaration, seed: 5))
        }
        let first = try #require(tensors.entries["plain"])
        #expect(first.range.lowerBound % 64 == 0, "the data are aligned")
        let end = tensors.entries.values.map(\.range.upperBound).max()
        #expect(try Data(contentsOf: file).count == end, "nothing follows the data")
    }

    @Test func sameTensorsSameBytes() throws {
        let directory = try TemporaryDirectory()
        try write(to: directory.file("a"))
        try write(to: directory.file("b"))
        #expect(try Data(contentsOf: directory.file("a")) == Data(contentsOf: directory.file("b")))
    }

    @Test func widensFloatingTypes() throws {
        let directory = try TemporaryDirectory()
        let file = directory.file("a")
        let values: [Float] = [0, -0.0, 1, -2.5, 0x1p-14, 65504, 0.5]
        try SafetensorsWriter.write(
            [
                .init(name: "f32", type: .float32, shape: [7]),
                .init(name: "f16", type: .float16, shape: [7]),
                .init(name: "bf16", type: .bfloat16, shape: [7]),
                .init(name: "i32", type: .int32, shape: [7]),
            ], to: file
        ) { declaration in
            switch declaration.type {
            case .float16: values.map { HalfPrecision.narrow($0) }.withUnsafeBytes { Data($0) }
            case .bfloat16: values.map { UInt16($0.bitPattern >> 16) }.withUnsafeBytes { Data($0) }
            default: values.withUnsafeBytes { Data($0) }
            }
        }
        let tensors = try Safetensors(file)
        #expect(try tensors.floats("f32") == values && tensors.floats("f16") == values)
        #expect(try tensors.floats("bf16", shape: [7]).prefix(5) == values.prefix(5))
        for (name, shape, problem) in [
            ("i32", nil, "expected F32, F16 or BF16, got I32"),
            ("f32", [1, 7], "expected shape [1, 7], got [7]"),
            ("none", nil, "has no tensor 'none'"),
        ] as [(String, [Int]?, String)] {
            let error = #expect(throws: FileError.self) { try tensors.floats(name, shape: shape) }
            #expect(error?.description.contains(problem) == true)
        }
    }

    /// Whatever bytes of a header change, the file is read or refused; nothing outside it is touched.
    @Test(arguments: [UInt64(1), 2, 3])
    func damagedHeadersAreHarmless(_ seed: UInt64) throws {
        let directory = try TemporaryDirectory()
        try write(to: directory.file("good"))
        let good = try Data(contentsOf: directory.file("good"))
        let header = 8 + Int(good[0]) + 256 * Int(good[1])
        var generator = SeededGenerator(seed: seed)
        let alphabet = Array("0123456789-\"[]{},:.eE \u{0}".utf8)
        var refused = 0
        for round in 0..<400 {
            var data = good
            for _ in 0...generator.index(below: 3) {
                data[generator.index(below: header)] = alphabet[generator.index(below: alphabet.count)]
            }
            if round % 5 == 0 { data = data.prefix(generator.index(below: data.count)) }
            try data.write(to: directory.file("bad"))
            do {
                let tensors = try Safetensors(directory.file("bad"))
                for name in tensors.entries.keys {
                    _ = try tensors.bytes(name)
                    _ = try? tensors.floats(name)
                }
            } catch {
                refused += 1
                #expect(error.path == directory.file("bad").path && !error.message.isEmpty, "seed \(seed)")
            }
        }
        #expect(refused > 200, "seed \(seed)")
    }
}
