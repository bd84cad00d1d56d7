import BitplanTensors
import PlanFormat

/// The parts that each scheme stores: names, types and shapes, a function of the matrix's shape alone. The
/// order of the bytes of codes is in `Sources/Kernels/Layouts.md`.
///
/// | scheme | parts |
/// |---|---|
/// | full precision | `weights` |
/// | binary codes | `signs` (bits, rows, bytes of a plane's row), `alphas` (rows, groups, bits) |
/// | clustered codes | `cluster` (rows): the cluster of each token; `signs.<i>`, `alphas.<i>` of cluster i |
/// | integer | `codes` (rows, bytes), `scales` (units), `zeroPoints` (units) where asymmetric |
/// | NF4 | `codes` (bytes), `scales` (blocks); double quantization adds `scaleScales`, `scaleMean` |
/// | product codes | `indices` (bytes), `centroids` (centroids, block), `centroidScale` where INT8 |
/// | 8-bit index | `codes` (rows, columns), `range`: minimum and maximum |
/// | sign | `signs` (rows, bytes), `scale` where scaled |
/// | BitLinear | `signs` (rows, bytes), `scales` (groups) |
/// | W8A8 | `codes` (rows, columns), `scales` (rows) |
package enum PackedLayout {
    /// One part as it lies in a file.
    package struct Part: Hashable, Sendable {
        /// The part's name; on disk `<tensor>.<name>`.
        package let name: String
        /// The element type.
        package let type: ElementType
        /// The shape, outermost first.
        package let shape: [Int]

        /// Bytes of the part.
        package var sizeInBytes: Int { shape.reduce(type.sizeInBytes, *) }
    }

    /// The parts of a (`rows`, `columns`) matrix under `scheme`; their bytes sum to
    /// `scheme.sizeInBytes(rows:columns:)`.
    package static func parts(_ scheme: Scheme, rows: Int, columns: Int) -> [Part] {
        let planeBytes = (columns + 7) / 8
        switch scheme {
        case .full(let type): return [Part(name: "weights", type: type.elementType, shape: [rows, columns])]
        case .binaryCodes(let bits, let group, let alphas):
            let groups = group.map { (columns + $0 - 1) / $0 } ?? 1
            return [
                Part(name: "signs", type: .uint8, shape: [bits, rows, planeBytes]),
                Part(name: "alphas", type: alphas.elementType, shape: [rows, groups, bits]),
            ]
        case .clusteredCodes(let clusters, let ratio, let alphas):
            let sizes = Scheme.clusterSizes(rows: rows, clusters: clusters, ratio: ratio)
            return [Part(name: "cluster", type: .uint8, shape: [rows])]
                + sizes.enumerated().flatMap { index, size in
                    [
                        Part(
                            name: "signs.\(index)", type: .uint8, shape: [clusters - index, size, planeBytes]),
                        Part(
                            name: "alphas.\(index)", type: alphas.elementType,
                            shape: [size, 1, clusters - index]),
                    ]
                }
        case .integer(let bits, let symmetric, let granularity, let scales):
            let units = IntegerCodes.Units(rows: rows, columns: columns, granularity: granularity).count
            let codes = Part(
                name: "codes", type: .uint8, shape: [rows, DenseBits.sizeInBytes(count: columns, bits: bits)])
            return [codes, Part(name: "scales", type: scales.elementType, shape: [units])]
                + (symmetric ? [] : [Part(name: "zeroPoints", type: scales.elementType, shape: [units])])
        case .normalFloat4(let block, let doubleQuantization):
            let blocks = (rows * columns + block - 1) / block
            let codes = Part(name: "codes", type: .uint8, shape: [(rows * columns + 1) / 2])
            guard doubleQuantization else {
                return [codes, Part(name: "scales", type: .float32, shape: [blocks])]
            }
            return [
                codes, Part(name: "scales", type: .int8, shape: [blocks]),
                Part(name: "scaleScales", type: .float32, shape: [(blocks + 255) / 256]),
                Part(name: "scaleMean", type: .float32, shape: [1]),
            ]
        case .productCodes(let block, let centroids, let storage):
            let indices = rows * ((columns + block - 1) / block)
            let bytes = DenseBits.sizeInBytes(count: indices, bits: ProductCodes.indexBits(centroids))
            let book = Part(
                name: "centroids", type: storage == .fp16 ? .float16 : .int8, shape: [centroids, block])
            return [Part(name: "indices", type: .uint8, shape: [bytes]), book]
                + (storage == .int8 ? [Part(name: "centroidScale", type: .float32, shape: [1])] : [])
        case .index8:
            return [
                Part(name: "codes", type: .int8, shape: [rows, columns]),
                Part(name: "range", type: .float32, shape: [2]),
            ]
        case .sign(let scaled):
            return [Part(name: "signs", type: .uint8, shape: [rows, planeBytes])]
                + (scaled ? [Part(name: "scale", type: .float32, shape: [1])] : [])
        case .bitLinear(let groups):
            return [
                Part(name: "signs", type: .uint8, shape: [rows, planeBytes]),
                Part(name: "scales", type: .float32, shape: [groups]),
            ]
        case .integer8Activations:
            return [
                Part(name: "codes", type: .int8, shape: [rows, columns]),
                Part(name: "scales", type: .float32, shape: [rows]),
            ]
        }
    }

    /// Checks that `packed` has the parts that its scheme says, no more and no fewer.
    ///
    /// - Throws: `QuantizationError.missingPart` or `.malformedPart`.
    package static func check(_ packed: PackedMatrix) throws(QuantizationError) {
        let parts = parts(packed.scheme, rows: packed.rows, columns: packed.columns)
        for part in parts {
            guard let tensor = packed.parts[part.name] else {
                throw .missingPart(part.name, scheme: packed.scheme.description)
            }
            guard tensor.type == part.type, tensor.shape == part.shape else {
                throw .malformedPart(
                    part.name, expected: "\(part.type.rawValue) \(part.shape)",
                    got: "\(tensor.type.rawValue) \(tensor.shape)")
            }
        }
        if packed.parts.count > parts.count {
            let known = Set(parts.map(\.name))
            let extra = packed.parts.keys.filter { !known.contains($0) }.sorted()
            throw .malformedPart(extra[0], expected: "no such part", got: "one, for \(packed.scheme)")
        }
    }
}

extension PackedMatrix {
    /// The part of this name.
    ///
    /// - Throws: `QuantizationError.missingPart`.
    func part(_ name: String) throws(QuantizationError) -> PackedTensor {
        guard let part = parts[name] else { throw .missingPart(name, scheme: scheme.description) }
        return part
    }
}
