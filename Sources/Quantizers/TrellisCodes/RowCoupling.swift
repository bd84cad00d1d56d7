import BitplanTensors
import PlanFormat

/// How the errors of a segment's rows meet, as the search for paths uses it: the errors e of a column cost
/// `sum_j R_jj^2 (e_j + sum_{i<j} e_i R_ij / R_jj)^2`; see `OutputFactor`.
struct RowCoupling: Sendable {
    /// `R_jj^2`.
    let importance: [Float]
    /// Row i has `R_ij / R_jj` for j > i, padded with zeros to `stride`.
    let coupling: [Float]
    /// A multiple of 16.
    let stride: Int
    /// G with its damping, (rows, rows).
    let matrix: Matrix

    /// The coupling of these rows; nil where `moments` say nothing of them.
    init?(_ moments: Matrix, rows: Range<Int>) {
        guard let factor = OutputFactor(moments, rows: Array(rows)) else { return nil }
        let count = rows.count
        stride = ceilDivide(count, 16) * 16
        matrix = factor.matrix
        importance = (0..<count).map { Float(factor[$0, $0] * factor[$0, $0]) }
        var coupling = [Float](repeating: 0, count: count * stride)
        for j in 0..<count {
            for i in 0..<j { coupling[i * stride + j] = Float(factor[i, j] / factor[j, j]) }
        }
        self.coupling = coupling
    }
}
