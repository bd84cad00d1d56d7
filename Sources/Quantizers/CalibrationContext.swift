import BitplanTensors

/// What a fit may use besides the weights.
package struct CalibrationContext: Sendable {
    /// H = X'X over the inputs X that the layer sees on calibration text, (columns, columns); any scale: it
    /// is brought to a mean diagonal of 1. Used by the calibrated fit.
    package var moments: Matrix?
    /// C = X'Z over the inputs X that the layer sees in full precision and the inputs Z that it sees behind
    /// the layers quantized before it, token by token, (columns, columns), at the scale of `moments`, which
    /// then are Z'Z. The calibrated fit aims at W X from the inputs Z: it makes up for errors that already
    /// happened. Nil where `moments` are X'X.
    package var crossMoments: Matrix?
    /// G = sum_t g_t g_t' over the gradients g of the model's loss by the layer's outputs, (rows, rows); any
    /// scale. Where they are given, calibrated fits weigh errors by both sides.
    package var outputMoments: Matrix?
    /// What is added to the diagonal of the scaled H for a matrix that is also looked up by row, as a tied
    /// embedding is: plain squared error then counts beside the output's. 0 for every other matrix; for a
    /// tied embedding, 1 to 3 gave the least KL on the translation model tried.
    package var lookupWeight: Double
    /// What is added to the diagonal of the scaled H so that rare inputs keep some weight.
    package var damping: Double
    /// Occurrences of each row, as of tokens in text: the order of frequency clusters.
    package var rowFrequencies: [Double]?
    /// Where randomness starts (k-means).
    package var seed: UInt64
    /// The most threads that encoding may use; nil for all cores. The bytes do not depend on it.
    package var threads: Int?

    /// A context of these parts.
    package init(
        moments: Matrix? = nil, crossMoments: Matrix? = nil, outputMoments: Matrix? = nil,
        lookupWeight: Double = 0, damping: Double = 0.05,
        rowFrequencies: [Double]? = nil, seed: UInt64 = 0, threads: Int? = nil
    ) {
        self.moments = moments
        self.crossMoments = crossMoments
        self.outputMoments = outputMoments
        self.lookupWeight = lookupWeight
        self.damping = damping
        self.rowFrequencies = rowFrequencies
        self.seed = seed
        self.threads = threads
    }

    /// `outputMoments` of a matrix with so many rows; nil where there are none.
    ///
    /// - Throws: `QuantizationError.contextMismatch` where they have another shape or are not finite.
    func outputMoments(rows: Int) throws(QuantizationError) -> Matrix? {
        guard let outputMoments else { return nil }
        guard outputMoments.rows == rows, outputMoments.columns == rows else {
            throw .contextMismatch(
                "output moments: expected (\(rows), \(rows)), got (\(outputMoments.rows), \(outputMoments.columns))"
            )
        }
        guard !outputMoments.storage.contains(where: { !$0.isFinite }) else {
            throw .contextMismatch("output moments: not finite")
        }
        return outputMoments
    }

    /// Nothing but the weights.
    package static let none = CalibrationContext()
}
