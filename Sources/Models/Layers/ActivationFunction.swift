import BitplanKernels
import BitplanTensors

/// The non-linearity of a feed-forward sublayer, by its name in the configuration.
package enum ActivationFunction: String, Sendable {
    case relu
    /// The square of `relu`.
    case squaredRelu = "relu2"
    case gelu
    case geluNew = "gelu_new"
    case geluTanh = "gelu_pytorch_tanh"
    case swish
    case silu
    case tanh

    /// The function that a configuration names.
    ///
    /// - Throws: `FileError` where bitplan has no function of that name.
    init(_ settings: Settings, _ key: String, or fallback: String) throws(FileError) {
        let name = try settings.text(key, or: fallback)
        // A feed-forward's backward has arguments alone.
        guard let function = ActivationFunction(rawValue: name), function != .tanh else {
            throw FileError(settings.file, "\(key) '\(name)' is not supported")
        }
        self = function
    }

    /// Takes gradients behind the function to those of its arguments, number by number.
    ///
    /// - Parameter x: the arguments; of the hyperbolic tangent its values.
    func backward(_ gradient: inout Matrix, at x: Matrix) {
        let function: VectorFunction
        switch self {
        case .relu: function = .relu
        case .squaredRelu:
            return gradient.forEachRow(beside: x) { arguments, gradient in
                for i in 0..<x.columns { gradient[i] *= 2 * max(0, arguments[i]) }
            }
        case .swish, .silu: function = .swish
        case .gelu: function = .geluErf
        case .geluNew, .geluTanh: function = .geluTanh
        case .tanh: function = .tanh
        }
        gradient.forEachRow(beside: x) { functionGradient(function, $0, count: x.columns, $1) }
    }

    /// Applies the function to every number.
    func apply(_ x: inout Matrix) {
        x.storage.withUnsafeMutableBufferPointer { buffer in
            guard let values = buffer.baseAddress else { return }
            switch self {
            case .relu: BitplanKernels.relu(values, count: buffer.count)
            case .squaredRelu:
                BitplanKernels.relu(values, count: buffer.count)
                for i in buffer.indices { values[i] *= values[i] }
            case .swish, .silu: BitplanKernels.swish(values, count: buffer.count)
            case .gelu: geluErf(values, count: buffer.count)
            case .geluNew, .geluTanh: BitplanKernels.geluTanh(values, count: buffer.count)
            case .tanh: hyperbolicTangent(values, count: buffer.count)
            }
        }
    }
}
