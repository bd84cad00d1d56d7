/// What can be wrong with weights to encode, a packed matrix to decode, or what a fit was given.
package enum QuantizationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A weight is NaN or infinite.
    case nonFinite(row: Int, column: Int, value: Float)
    /// A weight is larger than FP16 can hold, in a scheme that stores FP16.
    case halfOverflow(row: Int, column: Int, value: Float)
    /// A packed matrix lacks a part of its scheme.
    case missingPart(String, scheme: String)
    /// A part of a packed matrix has another type or shape than its scheme says.
    case malformedPart(String, expected: String, got: String)
    /// A part holds a number that no encoder writes.
    case invalidPart(String, reason: String)
    /// Input moments or frequencies do not fit the matrix.
    case contextMismatch(String)
    /// The calibrated fit was asked for without input moments.
    case momentsMissing

    /// One line: what, where, expected, got.
    package var description: String {
        switch self {
        case .nonFinite(let row, let column, let value):
            "weight at row \(row), column \(column) is \(value): only finite numbers can be quantized"
        case .halfOverflow(let row, let column, let value):
            "weight at row \(row), column \(column) is \(value): FP16 ends at 65504"
        case .missingPart(let part, let scheme): "packed matrix (\(scheme)) has no part '\(part)'"
        case .malformedPart(let part, let expected, let got):
            "part '\(part)': expected \(expected), got \(got)"
        case .invalidPart(let part, let reason): "part '\(part)': \(reason)"
        case .contextMismatch(let text): text
        case .momentsMissing:
            "calibrated codes need the second moments of the layer's inputs, and there are none"
        }
    }
}
