import BitplanTensors
import Foundation
import PlanFormat

/// How the tensors of a packed model lie in its file: one tensor an element type, called by it, the widest
/// first, in each of them the parts of that type one after the other.
///
/// The header is then short and of one size whatever the plan, every number stands at a multiple of its
/// size, and a reader finds each part from the shapes and schemes alone: matrices in order of execution with
/// the parts that their scheme declares, then the vectors. Constant vectors are in the header.
package struct PackedFile: Sendable {
    /// A part of a matrix, or a vector.
    package struct Part: Codable, Sendable {
        /// `<tensor>.<part>`, or the vector's name.
        package let name: String
        /// The element type: the name of the tensor that it lies in.
        package let type: ElementType
        /// Extents, outermost first.
        package let shape: [Int]
        /// Elements of the tensor before it.
        package let offset: Int

        /// Elements.
        package var count: Int { shape.reduce(1, *) }
    }

    /// The parts, those of one type in the order in which they lie.
    package let parts: [Part]
    /// Elements of each type.
    private let counts: [ElementType: Int]
    private let places: [String: Int]

    /// The file of a network's matrices and vectors under their schemes.
    package init(
        _ layout: ModelLayout, vectors: [(name: String, count: Int)], _ schemes: TensorSchemes,
        _ constants: ConstantVectors
    ) {
        var parts: [Part] = []
        var counts: [ElementType: Int] = [:]
        func add(_ name: String, _ type: ElementType, _ shape: [Int]) {
            let part = Part(name: name, type: type, shape: shape, offset: counts[type] ?? 0)
            parts.append(part)
            counts[type, default: 0] += part.count
        }
        for shape in layout.sublayers.flatMap(\.matrices) {
            for part in schemes[shape.tensor].parts(rows: shape.rows, columns: shape.columns) {
                add("\(shape.tensor).\(part.name)", part.type, part.shape)
            }
        }
        for (name, count) in vectors where constants.values[name] == nil {
            add(name, schemes.vectors.elementType, [count])
        }
        self.parts = parts
        self.counts = counts
        places = Dictionary(
            parts.enumerated().map { ($0.element.name, $0.offset) }, uniquingKeysWith: { first, _ in first })
    }

    /// Types in the file, the widest first.
    private var types: [ElementType] {
        counts.keys.sorted { ($1.sizeInBytes, $0.rawValue) < ($0.sizeInBytes, $1.rawValue) }
    }

    /// Writes the file; `bytes` is asked once for each part.
    ///
    /// - Throws: as `SafetensorsWriter.write`.
    package func write(
        to file: URL, metadata: [String: String], headerBytes: Int, bytes: (Part) throws -> Data
    ) throws {
        let tensors = types.map {
            SafetensorsWriter.Declaration(name: $0.rawValue, type: $0, shape: [counts[$0] ?? 0])
        }
        try SafetensorsWriter.write(tensors, metadata: metadata, headerBytes: headerBytes, to: file) {
            tensor in
            var data = Data(capacity: tensor.sizeInBytes)
            for part in parts where part.type == tensor.type { data.append(try bytes(part)) }
            return data
        }
    }

    /// Checks that a file has these tensors and no others.
    ///
    /// - Throws: `FileError` where one is missing, of another type or size, or unknown.
    package func check(_ tensors: Safetensors) throws(FileError) {
        for type in types {
            guard let entry = tensors.entries[type.rawValue] else {
                throw FileError(tensors.file, "has no tensor '\(type.rawValue)', which the plan needs")
            }
            guard entry.type == type, entry.shape == [counts[type] ?? 0] else {
                throw FileError(
                    tensors.file,
                    "tensor '\(type.rawValue)': expected \(type.rawValue) [\(counts[type] ?? 0)] by the plan, "
                        + "got \(entry.type.rawValue) \(entry.shape)")
            }
        }
        for name in tensors.entries.keys.sorted() where !types.contains(where: { $0.rawValue == name }) {
            throw FileError(tensors.file, "tensor '\(name)' is not in the plan")
        }
    }

    /// A part of a file that was checked; nil where there is none of this name, as of a
    /// constant vector.
    func tensor(_ name: String, in tensors: Safetensors) throws(FileError) -> PackedTensor? {
        guard let part = places[name].map({ parts[$0] }) else { return nil }
        let all = try tensors.bytes(part.type.rawValue)
        let start = all.startIndex + part.offset * part.type.sizeInBytes
        return PackedTensor(
            type: part.type, shape: part.shape, bytes: all[start..<start + part.count * part.type.sizeInBytes]
        )
    }
}
