import BitplanKernels
import BitplanTensors
import PlanFormat

/// Fits codes and coefficients of a grid to the inputs that the layer sees: least `(w - w^)' H (w - w^)` a
/// row.
///
/// From the codes and coefficients that the grid comes with:
/// 1. error feedback: columns in order of falling H_jj; each takes the nearest value to its weight plus what
///    the errors before it ask for; coefficients then by weighted least squares; a few rounds, the best kept;
/// 2. descent: each weight in turn takes the value that lowers the weighted error most, until none changes;
///    coefficients again; a few rounds.
/// A row that ends worse than it began, without damping, keeps what it had.
///
/// Rows do not touch each other, or only block by block, so the result is the same for any number of threads.
/// - Complexity: O(rows * columns^2 * (planes + 1)) for each round.
/// - Source: Frantar et al. 2023 (GPTQ); Hubara et al. 2021, for the descent; Tseng et al. 2025 (YAQA), for
///   the feedback along rows.
struct ErrorFeedback {
    var passes = 1
    var feedbackRounds = 3
    var descentRounds = 4
    var sweeps = 16

    /// Improves the codes and coefficients of `grid` for `weights`; with moments of the outputs, each block
    /// of rows makes up for the errors of those before it.
    func fit(
        _ grid: inout CodeGrid, weights: Matrix, moments: InputMoments, outputs: Matrix? = nil, threads: Int?
    ) {
        guard let coupling = outputs.flatMap({ OutputCoupling($0) }) else {
            return fit(
                &grid, rows: Array(0..<grid.rows), weights: weights, moments: moments, threads: threads)
        }
        var target = weights
        // Errors of the rows so far, in the order of the blocks, transposed: (columns, rows).
        var errors: [Float] = []
        for (block, asked) in zip(coupling.blocks, coupling.asked) {
            if asked.columns > 0 {
                let before = Matrix(rows: asked.columns, columns: grid.columns, storage: errors)
                let shift = DenseMatrix(before.transposed())(asked)
                for (index, row) in block.enumerated() {
                    for column in 0..<grid.columns { target[row, column] += shift[index, column] }
                }
            }
            fit(&grid, rows: block, weights: target, moments: moments, threads: threads)
            for row in block {
                errors += (0..<grid.columns).map { weights[row, $0] - grid.value(row, $0) }
            }
        }
    }

    /// Fits these rows, which do not touch each other.
    private func fit(
        _ grid: inout CodeGrid, rows: [Int], weights: Matrix, moments: InputMoments, threads: Int?
    ) {
        guard !rows.isEmpty, grid.columns > 0 else { return }
        let fixed = grid
        grid.codes.withUnsafeMutableBufferPointer { codes in
            grid.coefficients.withUnsafeMutableBufferPointer { coefficients in
                weights.storage.withUnsafeBufferPointer { weights in
                    guard let codes = codes.baseAddress, let coefficients = coefficients.baseAddress,
                        let weights = weights.baseAddress
                    else { return }
                    let panels = ceilDivide(rows.count, LevelTables.lanes)
                    forEachRun(rows: panels, threads: threads, minimumRows: 1) { run in
                        let panel = FeedbackPanel(fixed, moments: moments, settings: self)
                        for index in run {
                            let first = index * LevelTables.lanes
                            let end = min(first + LevelTables.lanes, rows.count)
                            panel.fit(
                                Array(rows[first..<end]), weights: weights, codes: codes,
                                coefficients: coefficients)
                        }
                    }
                }
            }
        }
    }
}
