import BitplanTensors

/// Second moments of a layer's inputs, ready for error feedback: scaled, damped, sorted and factored.
///
/// H is scaled to mean diagonal 1; `lookup` and `damping` are added to the diagonal; columns are in order of
/// falling diagonal. With H = R R' (R upper triangular) the weighted error of a row is `|e R|^2`, and its
/// term of column j is least where `w^_j` is nearest to `w_j + sum_{i<j} e_i R_ij / R_jj`: GPTQ's error
/// feedback without the inverse of H.
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

    /// - Throws: `QuantizationError.momentsMissing`, or `.contextMismatch` where the moments have another
    ///   shape or are no second moments.
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

        // The last column first: turned around so, the upper factor is an ordinary lower one. The factor
        // takes the lower half, and the upper one still has the moments.
        var turned = [Double](repeating: 0, count: columns * columns)
        for row in 0..<columns {
            for column in 0...row {
                let (i, j) = (order[row], order[column])
                turned[(columns - 1 - row) * columns + columns - 1 - column] =
                    (Double(moments[i, j]) + Double(moments[j, i])) / 2 * scale
            }
        }
        let diagonal = (0..<columns).map { turned[$0 * columns + $0] + context.lookupWeight }
        var damping = context.damping
        while true {
            for row in 0..<columns {
                for column in 0..<row { turned[row * columns + column] = turned[column * columns + row] }
                turned[row * columns + row] = diagonal[row] + damping
            }
            if Cholesky.factor(&turned, size: columns, threads: context.threads) { break }
            // Rounding can make moments of few tokens indefinite by a little; more than this is no rounding.
            guard damping < 10 else { throw .contextMismatch("input moments are not positive semidefinite") }
            damping = max(2 * damping, 0.01)
        }
        self.damping = damping

        var matrix = [Float](repeating: 0, count: columns * columns)
        var feedback = matrix
        var inverseDiagonal = [Float](repeating: 0, count: columns)
        for column in 0..<columns {
            let last = columns - 1 - column
            let pivot = turned[last * columns + last]
            matrix[column * columns + column] = Float(diagonal[last] + damping)
            inverseDiagonal[column] = Float(1 / (diagonal[last] + damping))
            for row in 0..<column {
                let value = Float(turned[last * columns + columns - 1 - row])
                matrix[row * columns + column] = value
                matrix[column * columns + row] = value
                feedback[column * columns + row] = Float(
                    turned[(columns - 1 - row) * columns + last] / pivot)
            }
        }
        self.matrix = matrix
        self.feedback = feedback
        self.inverseDiagonal = inverseDiagonal
    }
}
