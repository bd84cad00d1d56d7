import Foundation
import PlanFormat

extension PackedTensor {
    /// An F32 or F16 tensor of `values`, which already are numbers of that type.
    package init(shape: [Int], floats values: [Float], as type: Scheme.FloatType = .fp32) {
        let bytes =
            switch type {
            case .fp32: values.withUnsafeBytes { Data($0) }
            case .fp16: values.map(HalfPrecision.narrow).withUnsafeBytes { Data($0) }
            }
        self.init(type: type.elementType, shape: shape, bytes: bytes)
    }

    /// The numbers of a tensor of floating type, as FP32; empty for the integer types.
    package var floats: [Float] { type.widen(bytes) ?? [] }
}

extension Scheme.FloatType {
    /// `value` as this type holds it.
    package func rounded(_ value: Double) -> Float {
        self == .fp32 ? Float(value) : HalfPrecision.rounded(Float(value))
    }
}
