import PlanFormat
import Tensors

/// The parts that each scheme stores: names, types and shapes, a function of the matrix's shape alone.
///
/// | scheme | parts |
/// |---|---|
/// | full precision | `weights` |
/// | binary codes | `signs` (bits, rows, bytes of a plane's row), `alphas` (rows, groups, bits) |
/// | clustered codes | `order` (rows): packed row to token; `signs.<i>`, `alphas.<i>` of cluster i |
/// | integer | `codes` (rows, bytes), `scales` (units), `zeroPoints` (units) where asymmetric |
/// | NF4 | `codes` (bytes), `scales` (blocks); double quantization adds `scaleScales`, `scaleMean` |
/// | product codes | `indices` (bytes), `centroids` (centroids, block), `centroidScale` where INT8 |
/// | 8-bit index | `codes` (rows, columns), `range`: minimum and maximum |
/// | sign | `signs` (rows, bytes), `scale` where scaled |
/// | BitLinear | `signs` (rows, bytes), `scales` (groups) |
/// | W8A8 | `codes` (rows, columns), `scales` (rows) |
public enum PackedLayout {
    /// One part as it lies in a file.
    public struct Part: Hashable, Sendable {
        public let name: String
        public let type: ElementType
        public let shape: [Int]

        /// Bytes of the part.
        public var sizeInBytes: Int { shape.reduce(type.sizeInBytes, *) }
    }

    /// The parts of a (`rows`, `columns`) matrix under `scheme`; their bytes sum to `scheme.sizeInBytes(rows:columns:)`.
    public static func parts(_ scheme: Scheme, rows: Int, columns: Int) -> [Part] {
        let planeBytes = (columns + 7) / 8
        switch scheme {
        case .full(let type): return [Part(name: "weights", type: type.elementType, shape: [rows, columns])]
        case .binaryCodes(let bits, let group, let alphas):
            let groups = group.map { (columns + $0 - 1) / $0 } ?? 1
            return [
                Part(name: "signs", type: .uint8, shape: [bits, rows, planeBytes]),
                Part(name: "alphas", type: alphas.elementType, shape: [rows, groups, bits]),
            ]
        default: return []
        }
    }

    /// Checks that `packed` has the parts that its scheme says, no more and no fewer.
    ///
    /// - Throws: `QuantizationError.missingPart` or `.malformedPart`.
    public static func check(_ packed: PackedMatrix) throws(QuantizationError) {
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
