import BitplanKernels
import BitplanTensors
import PlanFormat

/// The fit of a segment: paths for all columns and a scale for every row.
///
/// Scales start at the root mean square of their rows, or where rows are levels already. A round finds the
/// best path of every column, then solves the scales by least squares; the best of a few rounds is kept
/// (`fit`). With moments H, rounds of error feedback follow (`fit(_:)`): columns in order of falling H_jj,
/// each aiming at its weights and what the errors before it ask for, the search in the place of rounding;
/// scales and errors are those under H. A segment's result is the best of all rounds, those without feedback
/// included.
///
/// Segments share no path and no scale, so they are fitted each alone. Without feedback, columns share
/// nothing but the scales.
/// - Source: Tseng et al. 2024 (QTIP), section 4; `InputMoments` for the feedback.
struct TrellisSegment {
    /// Rounds of either kind. Those without feedback go on while the error falls below so much of the last
    /// one's, as it does for rows with outliers at 3 and 4 bits.
    private static let rounds = 3
    private static let mostRounds = 16
    private static let worthwhile = 0.9

    private let pairBits: Int
    private let levels: [Float]
    private let rows: Int
    private let columns: Int
    /// How the errors of rows meet; nil where each counts alone.
    private let coupling: RowCoupling?
    /// (columns, rows), columns in the order of coding.
    private let weights: Matrix
    private var scales: [Float]
    /// (columns, rows).
    private var windows: [UInt8]
    /// The best fit so far, and its error.
    private(set) var best: Fit
    private var least = Double.infinity

    /// Paths, (columns, rows) in the order of coding, and the scales of rows, as they are stored.
    struct Fit {
        var windows: [UInt8]
        var scales: [Float]
    }

    /// The rows of one segment, (rows, columns), the order in which columns are coded, and how the rows'
    /// errors meet in rounds with feedback.
    init(_ weights: Matrix, pairBits: Int, order: [Int]? = nil, coupling: RowCoupling? = nil) {
        self.pairBits = pairBits
        self.coupling = coupling
        levels = TrellisTable.pairBits(pairBits).values
        (rows, columns) = (weights.rows, weights.columns)
        let turned = weights.transposed()
        self.weights = order.map { turned.gathering(rows: $0) } ?? turned
        windows = [UInt8](repeating: 0, count: rows * columns)
        let table = TrellisTable.pairBits(pairBits)
        let sums = Set(table.high.flatMap { high in table.low.map { Float(high + $0) } })
        scales = (0..<weights.rows).map { row in
            let squares = weights[row: row].reduce(0.0) { $0 + Double($1) * Double($1) }
            let size = Float((squares / Double(max(1, weights.columns))).squareRoot())
            return Self.scale(of: weights[row: row], table, sums, near: size) ?? HalfPrecision.rounded(size)
        }
        best = Fit(windows: windows, scales: scales)
    }

    /// The half-precision scale under which a row's weights are levels, as weights that were decoded are;
    /// nil where there is none between half of `size` and twice as much, as for nearly all other rows.
    ///
    /// One or two numbers can be levels by chance under one of these 2048 scales, which does no harm: it is
    /// where the rounds start.
    private static func scale(
        of row: ArraySlice<Float>, _ table: TrellisTable, _ sums: Set<Float>, near size: Float
    ) -> Float? {
        guard row.count > 2, size > 0 else { return nil }
        return (HalfPrecision.narrow(size / 2)...HalfPrecision.narrow(2 * size)).lazy
            .map(HalfPrecision.widen)
            .first { scale in
                let inverse = 1 / (scale * table.step)
                return row.allSatisfy { weight in
                    let sum = weight * inverse + table.offset
                    return abs(sum - sum.rounded()) < 1e-3 && sums.contains(sum.rounded())
                }
            }
    }

    /// The rounds without feedback, columns on as many threads.
    mutating func fit(threads: Int?) {
        guard rows > 0, columns > 0 else { return }
        for round in 0..<Self.mostRounds {
            let last = least
            search(threads: threads)
            refit(nil, target: weights)
            if round + 1 >= Self.rounds, least > Self.worthwhile * last { break }
        }
    }

    /// The rounds with feedback, which begin at the best fit without it; `best` is then the least under H.
    mutating func fit(_ feedback: TrellisFeedback) {
        guard rows > 0, columns > 0 else { return }
        (windows, scales) = (best.windows, best.scales)
        let target = weights.multiplied(by: feedback)
        least = .infinity
        refit(feedback, target: target)
        for _ in 0..<Self.rounds {
            search(feedback)
            refit(feedback, target: target)
        }
    }

    /// The best path of every column alone.
    private mutating func search(threads: Int?) {
        let (pairBits, rows, columns, levels, scales) = (pairBits, rows, columns, levels, scales)
        weights.storage.withUnsafeBufferPointer { weights in
            windows.withUnsafeMutableBufferPointer { windows in
                guard let weights = weights.baseAddress, let windows = windows.baseAddress else { return }
                // A column writes its own windows.
                nonisolated(unsafe) let (targets, paths) = (weights, windows)
                forEachRun(rows: columns, threads: threads) { run in
                    for column in run {
                        TrellisPath.find(
                            pairBits: pairBits, table: levels, targets: targets + column * rows,
                            factors: scales,
                            count: rows, windows: paths + column * rows)
                    }
                }
            }
        }
    }

    /// The best path of every column, the errors of columns before it fed back.
    private mutating func search(_ feedback: TrellisFeedback) {
        var targets = weights
        var errors = Matrix(rows: TrellisFeedback.block, columns: rows)
        for first in stride(from: 0, to: columns, by: TrellisFeedback.block) {
            let block = feedback.blocks[first / TrellisFeedback.block]
            let width = min(TrellisFeedback.block, columns - first)
            searchBlock(first..<first + width, block, &targets, &errors)
            guard first + width < columns else { continue }
            let behind = block.slice(rows: width..<block.rows)
            let asked = DenseMatrix(errors.slice(rows: 0..<width).transposed())(behind)
            targets.storage.withUnsafeMutableBufferPointer { targets in
                let offset = (first + width) * rows
                for index in asked.storage.indices { targets[offset + index] += asked.storage[index] }
            }
        }
    }

    /// One column after the other; errors inside the block reach its later columns at once.
    private mutating func searchBlock(
        _ block: Range<Int>, _ feedback: Matrix, _ targets: inout Matrix, _ errors: inout Matrix
    ) {
        let (pairBits, rows, levels, scales, coupling) = (pairBits, rows, levels, scales, coupling)
        let first = block.lowerBound * rows
        var room = [Float](repeating: 0, count: coupling.map { TrellisPath.room(stride: $0.stride) } ?? 0)
        weights.storage.withUnsafeBufferPointer { weights in
            targets.storage.withUnsafeMutableBufferPointer { targets in
                errors.storage.withUnsafeMutableBufferPointer { errors in
                    windows.withUnsafeMutableBufferPointer { windows in
                        guard let weights = weights.baseAddress, let targets = targets.baseAddress,
                            let errors = errors.baseAddress, let windows = windows.baseAddress
                        else { return }
                        for index in 0..<block.count {
                            let start = first + index * rows
                            for before in 0..<index {
                                Self.add(
                                    errors + before * rows, times: feedback[index, before],
                                    to: targets + start, count: rows)
                            }
                            if let coupling {
                                TrellisPath.findCoupled(
                                    pairBits: pairBits, table: levels, targets: targets + start,
                                    factors: scales,
                                    importance: coupling.importance, coupling: coupling.coupling,
                                    stride: coupling.stride, count: rows, room: &room,
                                    windows: windows + start)
                            } else {
                                TrellisPath.find(
                                    pairBits: pairBits, table: levels, targets: targets + start,
                                    factors: scales,
                                    count: rows, windows: windows + start)
                            }
                            for row in 0..<rows {
                                errors[index * rows + row] =
                                    weights[start + row] - scales[row] * levels[Int(windows[start + row])]
                            }
                        }
                    }
                }
            }
        }
    }

    private static func add(
        _ source: UnsafePointer<Float>, times factor: Float, to target: UnsafeMutablePointer<Float>,
        count: Int
    ) {
        let (from, to) = (UnsafeRawPointer(source), UnsafeMutableRawPointer(target))
        let whole = count / 16 * 16
        for offset in stride(from: 0, to: 4 * whole, by: 64) {
            let sum =
                to.loadUnaligned(fromByteOffset: offset, as: SIMD16<Float>.self)
                + from.loadUnaligned(fromByteOffset: offset, as: SIMD16<Float>.self) * factor
            to.storeBytes(of: sum, toByteOffset: offset, as: SIMD16<Float>.self)
        }
        for index in whole..<count { target[index] += source[index] * factor }
    }

    /// Solves the scales for the paths: with u the row's levels, `s = (u' H w) / (u' H u)`, H with its
    /// damping, or the identity. Keeps paths and scales where their error, `(w - s u)' H (w - s u)` of all
    /// rows, H without its damping, is the least so far; with a coupling G `tr(E' G E H)`, E being the
    /// errors. Scales are each row's own all the same: solved together under G they fit worse.
    ///
    /// - Parameter target: H w, (columns, rows).
    private mutating func refit(_ feedback: TrellisFeedback?, target: Matrix) {
        let (levels, weights, rows) = (levels, weights.storage, rows)
        let chosen = Matrix(rows: columns, columns: rows, storage: windows.map { levels[Int($0)] })
        let product = feedback.map { chosen.multiplied(by: $0) } ?? chosen
        var cross = [Double](repeating: 0, count: rows)
        var square = cross
        var error = 0.0
        // Errors, and errors times H: (columns, rows).
        let isCoupled = feedback != nil && coupling != nil
        var rests = Matrix(rows: isCoupled ? columns : 0, columns: rows)
        var weighteds = rests
        chosen.storage.withUnsafeBufferPointer { level in
            product.storage.withUnsafeBufferPointer { product in
                for first in stride(from: 0, to: level.count, by: rows) {
                    for row in 0..<rows {
                        cross[row] += Double(level[first + row] * target.storage[first + row])
                        square[row] += Double(level[first + row] * product[first + row])
                    }
                }
                for row in 0..<rows where square[row] > 0 && cross[row] > 0 {
                    scales[row] = HalfPrecision.rounded(min(Float(cross[row] / square[row]), 65504))
                }
                let damping = Float(feedback?.damping ?? 0)
                for first in stride(from: 0, to: level.count, by: rows) {
                    for (row, scale) in scales.enumerated() {
                        let index = first + row
                        let rest = weights[index] - scale * level[index]
                        let weighted = target.storage[index] - scale * product[index]
                        if isCoupled {
                            rests.storage[index] = rest
                            weighteds.storage[index] = weighted - damping * rest
                        } else {
                            error += Double(rest * (weighted - damping * rest))
                        }
                    }
                }
            }
        }
        if isCoupled, let coupling {
            let met = DenseMatrix(coupling.matrix)(weighteds)
            for index in rests.storage.indices {
                error += Double(rests.storage[index]) * Double(met.storage[index])
            }
        }
        guard error < least else { return }
        least = error
        best = Fit(windows: windows, scales: scales)
    }
}

extension Matrix {
    /// H times these vectors, (columns, vectors).
    fileprivate func multiplied(by feedback: TrellisFeedback) -> Matrix {
        DenseMatrix(transposed())(feedback.matrix)
    }
}
