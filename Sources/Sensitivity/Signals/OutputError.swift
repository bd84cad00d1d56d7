import BitplanEncoding
import BitplanKernels
import BitplanTensors
import PlanFormat

/// The squared error that a change of a matrix makes in what it is used for, summed over the tokens of
/// calibration text.
///
/// A matrix multiplies inputs X: the squared change of its outputs is |X dW'|^2 = tr(dW H dW'), H = X'X. A
/// table is looked up row by row: the change is sum_v n_v |dw_v|^2, n_v the occurrences of row v. A tied
/// embedding is both.
struct OutputError {
    /// H, (columns, columns); nil for a table that no product reads.
    let moments: Matrix?
    /// n_v; nil for a matrix that is never looked up.
    let occurrences: [Double]?

    /// The squared change of outputs and look-ups together.
    ///
    /// - Complexity: O(rows * columns^2).
    func total(_ change: Matrix) -> Double {
        var total = 0.0
        if let moments {
            // H is symmetric, so its rows are its columns.
            let product = DenseMatrix(moments)(change)
            total = zip(product.storage, change.storage).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        }
        if let occurrences {
            for (row, count) in occurrences.enumerated() where count > 0 {
                total += count * change[row: row].reduce(0) { $0 + Double($1) * Double($1) }
            }
        }
        return max(total, 0)
    }
}

extension Calibration {
    /// Tokens that the calibration text looks up; 1 where there is none.
    var tokens: Double { max(frequencies.values.reduce(0) { $0 + $1.reduce(0, +) }, 1) }

    /// What the errors of a matrix are weighted with; needs gathered moments.
    func outputError(_ shape: MatrixShape) -> OutputError {
        let known = moments[shape.tensor]
        if isEmbedding(shape) { return OutputError(moments: known, occurrences: frequencies[shape.tensor]) }
        if known != nil { return OutputError(moments: known, occurrences: nil) }
        // A table beside the embedding (positions, segments): each token looks up one row, which is not
        // counted.
        return OutputError(
            moments: nil, occurrences: [Double](repeating: tokens / Double(shape.rows), count: shape.rows))
    }
}

extension Matrix {
    /// `self - other`.
    func subtracting(_ other: Matrix) -> Matrix {
        precondition(rows == other.rows && columns == other.columns, "shapes differ")
        return Matrix(rows: rows, columns: columns, storage: zip(storage, other.storage).map { $0 - $1 })
    }

    /// The sum of squares of all numbers.
    var squares: Double { storage.reduce(0) { $0 + Double($1) * Double($1) } }
}
