import BitplanTensors

/// What one number of a head says of classes: class k has the score `slopes[k] x + offsets[k]`, so that
/// losses between distributions serve heads that have none.
struct ScoreTable: Sendable {
    private let slopes: [Float]
    private let offsets: [Float]

    /// No and yes: the odds that a label holds are `exp(x)`.
    static let labels = ScoreTable(slopes: [0, 1], offsets: [0, 0])

    /// The whole numbers k from -32 to 32 with scores `k x - k^2 / 2`: a normal distribution of variance 1
    /// around x, so that KL is half the squared difference of two numbers (within 1e-6 from -25 to 25).
    static let number: ScoreTable = {
        let numbers = (-32...32).map(Float.init)
        return ScoreTable(slopes: numbers, offsets: numbers.map { -$0 * $0 / 2 })
    }()

    /// Scores of every number.
    ///
    /// - Shapes: `x` (rows, 1); the result (rows, classes).
    func scores(_ x: Matrix) -> Matrix {
        var scores = Matrix(rows: x.rows, columns: slopes.count)
        for row in 0..<x.rows {
            for index in slopes.indices { scores[row, index] = slopes[index] * x[row, 0] + offsets[index] }
        }
        return scores
    }

    /// The gradient of the numbers, given that of the scores.
    func backward(_ gradient: Matrix) -> Matrix {
        var result = Matrix(rows: gradient.rows, columns: 1)
        for row in 0..<gradient.rows {
            for index in slopes.indices { result[row, 0] += slopes[index] * gradient[row, index] }
        }
        return result
    }
}
