import Foundation
import Tensors

/// The non-linearity of a feed-forward sublayer, by its name in the configuration.
public enum ActivationFunction: String, Sendable {
    case relu
    case gelu
    case geluNew = "gelu_new"
    case swish
    case silu

    /// Applies the function to every number.
    func apply(_ x: inout Matrix) {
        x.storage.withUnsafeMutableBufferPointer { values in
            switch self {
            case .relu: for i in values.indices { values[i] = max(values[i], 0) }
            case .swish, .silu: for i in values.indices { values[i] /= 1 + exp(-values[i]) }
            case .gelu:
                for i in values.indices { values[i] *= 0.5 * (1 + erf(values[i] * Float(0.5).squareRoot())) }
            case .geluNew:
                for i in values.indices {
                    let v = values[i]
                    values[i] = 0.5 * v * (1 + tanh(0.797_884_56 * (v + 0.044715 * v * v * v)))
                }
            }
        }
    }
}
