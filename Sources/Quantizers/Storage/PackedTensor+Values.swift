import BitplanTensors
import Foundation
import PlanFormat

extension PackedTensor {
    /// An F32 tensor of `values`.
    init(shape: [Int], floats values: [Float]) {
        self.init(type: .float32, shape: shape, bytes: values.withUnsafeBytes { Data($0) })
    }

    /// An F32 or F16 tensor of `values`, which already are numbers of that type.
    init(shape: [Int], floats values: [Float], as type: Scheme.FloatType) {
        switch type {
        case .fp32: self.init(shape: shape, floats: values)
        case .fp16:
            let halves = values.map(HalfPrecision.narrow)
            self.init(type: .float16, shape: shape, bytes: halves.withUnsafeBytes { Data($0) })
        }
    }

    /// The numbers of an F32 or F16 tensor; empty for other types.
    var floats: [Float] {
        switch type {
        case .float32:
            return [Float](unsafeUninitializedCapacity: bytes.count / 4) { buffer, count in
                count = bytes.copyBytes(to: buffer) / 4
            }
        case .float16:
            let halves = [UInt16](unsafeUninitializedCapacity: bytes.count / 2) { buffer, count in
                count = bytes.copyBytes(to: buffer) / 2
            }
            return halves.map(HalfPrecision.widen)
        default: return []
        }
    }

    /// The numbers of an I32 tensor; empty for other types.
    var integers: [Int32] {
        guard type == .int32 else { return [] }
        return [Int32](unsafeUninitializedCapacity: bytes.count / 4) { buffer, count in
            count = bytes.copyBytes(to: buffer) / 4
        }
    }
}

extension Scheme.FloatType {
    /// The element type in files.
    var elementType: ElementType { self == .fp32 ? .float32 : .float16 }

    /// `value` as this type holds it.
    func rounded(_ value: Double) -> Float {
        self == .fp32 ? Float(value) : HalfPrecision.rounded(Float(value))
    }
}
