import BitplanTensors
import Foundation
import PlanFormat

/// How Marian stores the numbers of a tensor: a class and the bytes of an element, together a code.
///
/// - Source: `src/common/types.h` of marian-nmt/marian-dev 1.12 and of browsermt/marian-dev 1.9.56, which
///   number the integers of intgemm each in its own way.
enum MarianElement: Sendable, Equatable {
    case float16, float32, float64
    /// Bytes that are no weights: a text.
    case int8
    /// Signed integers of so many bytes, and behind them one FP32 number that all were multiplied by.
    case scaledInteger(bytes: Int)

    /// The type of a code; nil where it is arranged for one processor, or unknown.
    init?(code: UInt64) {
        switch code {
        case 0x101: self = .int8
        case 0x402: self = .float16
        case 0x404: self = .float32
        case 0x408: self = .float64
        case 0x4101, 0x10001: self = .scaledInteger(bytes: 1)
        case 0x4102, 0x10002: self = .scaledInteger(bytes: 2)
        default: return nil
        }
    }

    /// Bytes of one element.
    var sizeInBytes: Int {
        switch self {
        case .float16: 2
        case .float32: 4
        case .float64: 8
        case .int8: 1
        case .scaledInteger(let bytes): bytes
        }
    }

    /// Bytes behind the elements: those of the multiplier.
    var trailingBytes: Int { if case .scaledInteger = self { 4 } else { 0 } }
}

/// A tensor of one of Marian's files: what its header says, and where its bytes lie.
struct MarianTensor: Sendable {
    let element: MarianElement
    /// As the header says it: a matrix is (in, out), an embedding (tokens, width), a vector (1, n).
    let shape: [Int]
    /// Where its elements start in the file; all of its bytes lie inside.
    let start: Int

    /// Whether a tensor may be called so: without control characters, which would break a line that names it.
    static func isName(_ text: String) -> Bool {
        !text.unicodeScalars.contains { $0.properties.generalCategory == .control }
            && !text.contains(where: \.isNewline)
    }

    /// The number of elements.
    var count: Int { shape.reduce(1, *) }

    /// The bytes that a shape of elements takes; nil where they are too many for an `Int`.
    static func bytes(_ shape: [Int], _ element: MarianElement) -> Int? {
        var bytes = element.sizeInBytes
        for extent in shape {
            let (product, overflow) = bytes.multipliedReportingOverflow(by: extent)
            guard !overflow, extent >= 0 else { return nil }
            bytes = product
        }
        let (sum, overflow) = bytes.addingReportingOverflow(element.trailingBytes)
        return overflow ? nil : sum
    }

    /// The elements in their order in the file, as FP32; nil for what are no weights.
    func numbers(_ data: Data) -> [Float]? {
        let bytes = data[data.startIndex + start..<data.startIndex + start + count * element.sizeInBytes]
        switch element {
        case .float16: return ElementType.float16.widen(bytes)
        case .float32: return ElementType.float32.widen(bytes)
        case .float64:
            return bytes.withUnsafeBytes { raw in
                (0..<count).map { Float(raw.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self)) }
            }
        case .int8: return nil
        case .scaledInteger(let size):
            let multiplier = data[bytes.endIndex..<bytes.endIndex + 4].withUnsafeBytes {
                $0.loadUnaligned(as: Float.self)
            }
            return bytes.withUnsafeBytes { raw in
                (0..<count).map { place in
                    size == 1
                        ? Float(raw.loadUnaligned(fromByteOffset: place, as: Int8.self)) / multiplier
                        : Float(raw.loadUnaligned(fromByteOffset: 2 * place, as: Int16.self)) / multiplier
                }
            }
        }
    }
}
