import BitplanTensors
import PlanFormat

/// Why a packed matrix cannot be run.
package enum PackedMatrixError: Error, Equatable, CustomStringConvertible {
    /// A part that the scheme needs is not there.
    case missingPart(scheme: Scheme, name: String)
    /// A part has another type or shape than scheme and matrix say.
    case wrongPart(scheme: Scheme, name: String, expected: String, got: String)
    /// There is no operator for the scheme.
    case notRunnable(Scheme)
    /// A number in a part is outside what the format allows.
    case badValue(scheme: Scheme, name: String, index: Int, message: String)

    /// One line: what, where, expected, got.
    package var description: String {
        switch self {
        case .missingPart(let scheme, let name):
            "a matrix of scheme \(scheme) needs the part '\(name)', which is missing"
        case .wrongPart(let scheme, let name, let expected, let got):
            "part '\(name)' of a matrix of scheme \(scheme): expected \(expected), got \(got)"
        case .notRunnable(let scheme): "there is no product for matrices of scheme \(scheme)"
        case .badValue(let scheme, let name, let index, let message):
            "part '\(name)' of a matrix of scheme \(scheme), index \(index): \(message)"
        }
    }
}

extension PackedMatrix {
    /// The part `name`, which must have this type and shape.
    func part(_ name: String, _ type: ElementType, _ shape: [Int]) throws(PackedMatrixError) -> PackedTensor {
        guard let tensor = parts[name] else { throw .missingPart(scheme: scheme, name: name) }
        guard tensor.type == type, tensor.shape == shape else {
            throw .wrongPart(
                scheme: scheme, name: name, expected: "\(type.rawValue) \(shape)",
                got: "\(tensor.type.rawValue) \(tensor.shape)")
        }
        return tensor
    }

    /// The part `name` as FP32 numbers, stored as `type`.
    func numbers(_ name: String, _ type: Scheme.FloatType, _ shape: [Int]) throws(PackedMatrixError)
        -> [Float]
    {
        try part(name, type == .fp32 ? .float32 : .float16, shape).floats()
    }
}

extension PackedTensor {
    /// The numbers of an F32 or F16 tensor; empty for other types.
    func floats() -> [Float] {
        bytes.withUnsafeBytes { raw in
            switch type {
            case .float32:
                (0..<raw.count / 4).map {
                    Float(
                        bitPattern: UInt32(
                            littleEndian: raw.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)))
                }
            case .float16:
                (0..<raw.count / 2).map {
                    halfToFloat(
                        UInt16(littleEndian: raw.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self)))
                }
            default: []
            }
        }
    }
}

extension PackedTensor {
    /// The numbers of an I32 tensor.
    func integers() -> [Int32] {
        bytes.withUnsafeBytes { raw in
            (0..<raw.count / 4).map {
                Int32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self))
            }
        }
    }
}

/// IEEE half precision to single, exact. (`Float16` is missing on Intel Macs.)
func halfToFloat(_ half: UInt16) -> Float {
    let sign = UInt32(half & 0x8000) << 16
    let exponent = UInt32(half >> 10 & 0x1f)
    let fraction = UInt32(half & 0x3ff)
    switch exponent {
    case 0:
        let magnitude = Float(fraction) * 0x1p-24
        return Float(bitPattern: magnitude.bitPattern | sign)
    case 31: return Float(bitPattern: sign | 0x7f80_0000 | fraction << 13)
    default: return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
    }
}
