import BitplanTensors
import PlanFormat

/// How the errors of a matrix's rows meet in the model's predictions, as fits to curvature use it.
///
/// With G the second moments of the gradients of the outputs, scaled to a mean diagonal of 1 and damped, and
/// `G = R R'`, R upper triangular, the errors e of a column cost `e' G e = |R' e|^2`: each row makes up for
/// the errors of those before it.
/// - Source: Tseng et al. 2025 (YAQA), whose feedback runs along rows and columns.
struct OutputFactor {
    /// G with its damping, (rows, rows).
    let matrix: Matrix
    private let turned: [Double]

    /// What is added to the scaled diagonal, so that rows that matter little on the text keep some weight.
    /// From 0.02 to 1.5 the translation model lost the same within noise.
    static let damping = 0.1

    /// The factor for these rows in this order; nil where `moments` say nothing of them.
    init?(_ moments: Matrix, rows: [Int]) {
        let count = rows.count
        let trace = rows.reduce(0.0) { $0 + Double(moments[$1, $1]) }
        guard trace > 0, trace.isFinite else { return nil }
        let scale = Double(count) / trace
        // The last row first: turned around so, the upper factor is an ordinary lower one.
        var turned = [Double](repeating: 0, count: count * count)
        var matrix = Matrix(rows: count, columns: count)
        for i in 0..<count {
            for j in 0..<count {
                let value =
                    (Double(moments[rows[i], rows[j]]) + Double(moments[rows[j], rows[i]])) / 2 * scale
                    + (i == j ? Self.damping : 0)
                turned[(count - 1 - i) * count + count - 1 - j] = value
                matrix[i, j] = Float(value)
            }
        }
        guard Cholesky.factor(&turned, size: count, threads: 1) else { return nil }
        self.matrix = matrix
        self.turned = turned
    }

    /// `R_ij`, j >= i.
    subscript(i: Int, j: Int) -> Double {
        let last = matrix.rows - 1
        return turned[(last - i) * matrix.rows + last - j]
    }
}

/// Rows in blocks, and what the errors of earlier blocks ask of each.
///
/// With P a block and < the rows before it, P's rows aim at `W_P + R_PP'^-1 R_<P' E_<`. Inside a block rows
/// count alone, so that they are fitted side by side; they are taken from all over the matrix, since rows
/// that are neighbours share a head and meet most.
struct OutputCoupling {
    /// Rows of a block.
    static let block = 2 * LevelTables.lanes

    /// The rows of each block.
    let blocks: [[Int]]
    /// By block: (rows of the block, rows before it).
    let asked: [Matrix]

    /// The coupling of a matrix's rows; nil where `moments` say nothing of them.
    init?(_ moments: Matrix) {
        let rows = moments.rows
        let count = max(1, ceilDivide(rows, Self.block))
        blocks = (0..<count).map { Array(stride(from: $0, to: rows, by: count)) }
        guard let factor = OutputFactor(moments, rows: blocks.flatMap { $0 }) else { return nil }
        var asked: [Matrix] = []
        var first = 0
        for block in blocks {
            var matrix = Matrix(rows: block.count, columns: first)
            for column in 0..<first {
                // Forward substitution: R_PP' is lower triangular.
                var solved = [Double](repeating: 0, count: block.count)
                for row in 0..<block.count {
                    var rest = factor[column, first + row]
                    for before in 0..<row { rest -= factor[first + before, first + row] * solved[before] }
                    solved[row] = rest / factor[first + row, first + row]
                    matrix[row, column] = Float(solved[row])
                }
            }
            asked.append(matrix)
            first += block.count
        }
        self.asked = asked
    }
}
