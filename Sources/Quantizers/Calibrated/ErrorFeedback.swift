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
/// Rows do not touch each other, so the result is the same for any number of threads.
/// - Complexity: O(rows * columns^2 * (planes + 1)) for each round.
/// - Source: Frantar et al. 2023 (GPTQ); Hubara et al. 2021, for the descent.
struct ErrorFeedback {
    var passes = 1
    var feedbackRounds = 3
    var descentRounds = 4
    var sweeps = 16

    /// Improves the codes and coefficients of `grid` for `weights`.
    func fit(_ grid: inout CodeGrid, weights: Matrix, moments: InputMoments, threads: Int?) {
        guard grid.rows > 0, grid.columns > 0 else { return }
        let fixed = grid
        grid.codes.withUnsafeMutableBufferPointer { codes in
            grid.coefficients.withUnsafeMutableBufferPointer { coefficients in
                weights.storage.withUnsafeBufferPointer { weights in
                    guard let codes = codes.baseAddress, let coefficients = coefficients.baseAddress,
                        let weights = weights.baseAddress
                    else { return }
                    let panels = ceilDivide(fixed.rows, LevelTables.lanes)
                    forEachRun(rows: panels, threads: threads, minimumRows: 1) { run in
                        let panel = FeedbackPanel(fixed, moments: moments, settings: self)
                        for index in run {
                            let first = index * LevelTables.lanes
                            let end = min(first + LevelTables.lanes, fixed.rows)
                            panel.fit(first..<end, weights: weights, codes: codes, coefficients: coefficients)
                        }
                    }
                }
            }
        }
    }
}
