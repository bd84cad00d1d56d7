import Tensors

/// Second moments of a layer's inputs, ready for error feedback: scaled, damped, sorted and factored.
///
/// H is scaled to mean diagonal 1; `lookup` and `damping` are added to the diagonal; columns are in order of falling diagonal.
/// With H = R R' (R upper triangular) the weighted error of a row is `|e R|^2`, and its term of column j is least where
/// `w^_j` is nearest to `w_j + sum_{i<j} e_i R_ij / R_jj`: GPTQ's error feedback without the inverse of H.
/// - Source: Frantar et al. 2023 (GPTQ); Chee et al. 2023 (QuIP), section 3, for the form with factors of H.
struct InputMoments {
    let columns: Int
    /// What was added to the diagonal beyond the objective.
    let damping: Double
    /// Sorted position to column.
    let order: [Int]
    /// H with damping, (columns, columns), in sorted order.
    let matrix: [Float]
    /// Row j has `R_ij / R_jj` for i < j.
    let feedback: [Float]
    /// One over the diagonal of `matrix`.
    let inverseDiagonal: [Float]

    /// - Throws: `QuantizationError.momentsMissing`, or `.contextMismatch` where the moments have another shape or are no
    ///   second moments.
    init(_ context: CalibrationContext, columns: Int) throws(QuantizationError) {
        guard let moments = context.moments else { throw .momentsMissing }
        guard moments.rows == columns, moments.columns == columns else {
            throw .contextMismatch(
                "input moments: expected (\(columns), \(columns)), got (\(moments.rows), \(moments.columns))")
        }
        var trace = 0.0
        for column in 0..<columns {
            let value = Double(moments[column, column])
            guard value >= 0, value.isFinite else {
                throw .contextMismatch("input moments: diagonal \(column) is \(value)")
            }
            trace += value
        }
        let scale = trace > 0 ? Double(columns) / trace : 1
        let order = (0..<columns).sorted {
            (moments[$1, $1], $0) < (moments[$0, $0], $1)
        }
        self.columns = columns
        self.order = order

        var scaled = [Double](repeating: 0, count: columns * columns)
        for row in 0..<columns {
            for column in 0...row {
                let value =
                    (Double(moments[order[row], order[column]]) + Double(moments[order[column], order[row]]))
                    / 2 * scale
                scaled[row * columns + column] = value
                scaled[column * columns + row] = value
            }
            scaled[row * columns + row] += context.lookupWeight
        }
        var damping = context.damping
        while true {
            var damped = scaled
            for index in 0..<columns { damped[index * columns + index] += damping }
            if let factors = Self.feedback(of: damped, size: columns, threads: context.threads) {
                self.damping = damping
                feedback = factors
                matrix = damped.map { Float($0) }
                inverseDiagonal = (0..<columns).map { Float(1 / damped[$0 * columns + $0]) }
                return
            }
            // Rounding can make moments of few tokens indefinite by a little; more than this is no rounding.
            guard damping < 10 else { throw .contextMismatch("input moments are not positive semidefinite") }
            damping = max(2 * damping, 0.01)
        }
    }

    /// `R_ij / R_jj` of H = R R' by rows j; nil where H is not positive definite.
    private static func feedback(of matrix: [Double], size: Int, threads: Int?) -> [Float]? {
        // Turned around, the upper factor is an ordinary lower one.
        var factor = [Double](repeating: 0, count: size * size)
        for row in 0..<size {
            for column in 0...row {
                factor[row * size + column] = matrix[(size - 1 - row) * size + size - 1 - column]
            }
        }
        guard Cholesky.factor(&factor, size: size, threads: threads) else { return nil }
        var feedback = [Float](repeating: 0, count: size * size)
        for column in 0..<size {
            let turned = size - 1 - column
            let pivot = factor[turned * size + turned]
            for row in 0..<column {
                feedback[column * size + row] = Float(factor[(size - 1 - row) * size + turned] / pivot)
            }
        }
        return feedback
    }
}
