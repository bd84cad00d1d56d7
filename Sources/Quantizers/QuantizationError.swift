import PlanFormat

/// What can be wrong with weights to encode, or with what a fit was given.
package enum QuantizationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A weight is NaN or infinite.
    case nonFinite(row: Int, column: Int, value: Float)
    /// A weight is larger than FP16 can hold, in a scheme that stores FP16.
    case halfOverflow(row: Int, column: Int, value: Float)
    /// The scheme cannot have a matrix of this shape.
    case wrongShape(Scheme, rows: Int, columns: Int, expected: String)
    /// There is no encoder for the scheme.
    case notEncodable(Scheme)
    /// Input moments or frequencies do not fit the matrix.
    case contextMismatch(String)
    /// The calibrated fit was asked for without input moments.
    case momentsMissing
    /// Codes that lie beside the weights were asked for where codes are fitted.
    case notFitted

    /// One line: what, where, expected, got.
    package var description: String {
        switch self {
        case .nonFinite(let row, let column, let value):
            "weight at row \(row), column \(column) is \(value): only finite numbers can be quantized"
        case .halfOverflow(let row, let column, let value):
            "weight at row \(row), column \(column) is \(value): FP16 ends at 65504"
        case .wrongShape(let scheme, let rows, let columns, let expected):
            "weights for scheme \(scheme): expected \(expected), got (\(rows), \(columns))"
        case .notEncodable(let scheme): "there is no encoder for scheme \(scheme)"
        case .contextMismatch(let text): text
        case .momentsMissing:
            "calibrated codes need the second moments of the layer's inputs, and there are none"
        case .notFitted:
            "the plan's codes are stored beside a model, not fitted: only quantize takes them, from that model's directory"
        }
    }
}
