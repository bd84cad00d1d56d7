import BitplanTensors

/// Sixteen rows under error feedback, side by side in vector lanes; columns in the order of the moments.
final class FeedbackPanel {
    typealias Lanes = SIMD16<Float>
    static let lanes = LevelTables.lanes

    let grid: CodeGrid
    let moments: InputMoments
    private let settings: ErrorFeedback
    let size: Int
    let units: Int
    let planes: Int
    private let tables: LevelTables
    /// The unit of each sorted column, and the sorted columns of each unit.
    private let unitOf: [Int]
    let positionsOf: [[Int32]]

    private let weights: UnsafeMutablePointer<Lanes>
    private let quantized: UnsafeMutablePointer<Lanes>
    /// H (w - w^).
    let gradient: UnsafeMutablePointer<Lanes>
    private let errors: UnsafeMutablePointer<Lanes>
    let basis: UnsafeMutablePointer<Lanes>
    let products: UnsafeMutablePointer<Lanes>
    /// (columns, lanes).
    let codes: UnsafeMutablePointer<UInt8>
    private let bestCodes: UnsafeMutablePointer<UInt8>
    private let startCodes: UnsafeMutablePointer<UInt8>
    /// (lanes, units, planes) and (lanes, units).
    var coefficients: [Float]
    private var bestCoefficients: [Float]
    private var startCoefficients: [Float]
    var offsets: [Float]
    private var bestErrors = [Double](repeating: 0, count: lanes)
    /// One row at a time in the descent.
    private let rowGradient: UnsafeMutablePointer<Float>
    private let rowValues: UnsafeMutablePointer<Float>

    init(_ grid: CodeGrid, moments: InputMoments, settings: ErrorFeedback) {
        self.grid = grid
        self.moments = moments
        self.settings = settings
        size = grid.columns
        units = grid.units
        planes = grid.planes
        tables = LevelTables(grid)
        let width = grid.unitWidth
        unitOf = moments.order.map { $0 / width }
        var positions = [[Int32]](repeating: [], count: grid.units)
        for (position, unit) in unitOf.enumerated() { positions[unit].append(Int32(position)) }
        positionsOf = positions
        weights = .allocate(capacity: size)
        quantized = .allocate(capacity: size)
        gradient = .allocate(capacity: size)
        errors = .allocate(capacity: size)
        basis = .allocate(capacity: size * planes)
        products = .allocate(capacity: size * planes)
        codes = .allocate(capacity: size * Self.lanes)
        bestCodes = .allocate(capacity: size * Self.lanes)
        startCodes = .allocate(capacity: size * Self.lanes)
        coefficients = [Float](repeating: 0, count: Self.lanes * units * planes)
        bestCoefficients = coefficients
        startCoefficients = coefficients
        offsets = [Float](repeating: 0, count: Self.lanes * units)
        rowGradient = .allocate(capacity: size)
        rowValues = .allocate(capacity: size)
    }

    deinit {
        weights.deallocate()
        quantized.deallocate()
        gradient.deallocate()
        errors.deallocate()
        basis.deallocate()
        products.deallocate()
        codes.deallocate()
        bestCodes.deallocate()
        startCodes.deallocate()
        rowGradient.deallocate()
        rowValues.deallocate()
    }

    /// Fits these rows, at most 16, and writes their codes and coefficients.
    func fit(
        _ rows: [Int], weights source: UnsafePointer<Float>, codes target: UnsafeMutablePointer<UInt8>,
        coefficients stored: UnsafeMutablePointer<Float>
    ) {
        load(rows, source, target, stored)
        dequantize()
        updateGradient()
        let startErrors = weightedErrors()
        let startPlain = plainErrors()
        bestErrors = startErrors
        keepAll()

        if let searched = grid.searchedCoefficients {
            let perRow = units * planes
            for (lane, row) in rows.enumerated() {
                for index in 0..<perRow {
                    coefficients[lane * perRow + index] = searched[row * perRow + index]
                }
            }
        }
        for _ in 0..<settings.passes {
            for _ in 0..<settings.feedbackRounds {
                feedBack()
                updateGradient()
                refit()
                keepBest()
            }
            restoreBest()
            dequantize()
            updateGradient()
            for _ in 0..<settings.descentRounds {
                let changed = descend(rows.count)
                refit()
                if !changed { break }
            }
            keepBest()
        }
        restoreBest()
        dequantize()
        updateGradient()

        let finalErrors = weightedErrors()
        let finalPlain = plainErrors()
        for (lane, row) in rows.enumerated() {
            let before = startErrors[lane] - moments.damping * startPlain[lane]
            let after = finalErrors[lane] - moments.damping * finalPlain[lane]
            if !(after <= before) { copyLane(lane, startCodes, startCoefficients, to: codes, &coefficients) }
            for position in 0..<size {
                target[row * size + moments.order[position]] = codes[position * Self.lanes + lane]
            }
            for index in 0..<units * planes {
                stored[row * units * planes + index] = coefficients[lane * units * planes + index]
            }
        }
    }

    // MARK: - Steps

    private func load(
        _ rows: [Int], _ source: UnsafePointer<Float>, _ target: UnsafePointer<UInt8>,
        _ stored: UnsafePointer<Float>
    ) {
        let perRow = units * planes
        for index in coefficients.indices { coefficients[index] = 0 }
        for index in offsets.indices { offsets[index] = 0 }
        for (lane, row) in rows.enumerated() {
            for index in 0..<perRow { coefficients[lane * perRow + index] = stored[row * perRow + index] }
            for unit in 0..<units { offsets[lane * units + unit] = grid.offsets[row * units + unit] }
        }
        let flat = UnsafeMutableRawPointer(weights).assumingMemoryBound(to: Float.self)
        for position in 0..<size {
            let column = moments.order[position]
            for lane in 0..<Self.lanes {
                let inside = lane < rows.count
                let index = rows[inside ? lane : 0] * size + column
                flat[position * Self.lanes + lane] = inside ? source[index] : 0
                codes[position * Self.lanes + lane] = inside ? target[index] : 0
            }
        }
        startCodes.update(from: codes, count: size * Self.lanes)
        startCoefficients = coefficients
    }

    /// The values of the codes.
    func dequantize() {
        let flat = UnsafeMutableRawPointer(quantized).assumingMemoryBound(to: Float.self)
        let levels = grid.levels
        grid.table.withUnsafeBufferPointer { table in
            coefficients.withUnsafeBufferPointer { coefficients in
                for position in 0..<size {
                    let unit = unitOf[position]
                    for lane in 0..<Self.lanes {
                        let level = Int(codes[position * Self.lanes + lane])
                        let offset = offsets[lane * units + unit]
                        var value: Float = 0
                        for plane in 0..<planes {
                            value +=
                                coefficients[(lane * units + unit) * planes + plane]
                                * (table[plane * levels + level] - offset)
                        }
                        flat[position * Self.lanes + lane] = value
                    }
                }
            }
        }
    }

    private func updateGradient() {
        for position in 0..<size { errors[position] = weights[position] - quantized[position] }
        withAllPositions { positions in
            moments.matrix.withUnsafeBufferPointer { matrix in
                PanelProducts.multiply(
                    matrix.baseAddress!, size: size, rows: 0..<size, positions: positions, vectors: errors,
                    into: gradient)
            }
        }
    }

    private lazy var allPositions: [Int32] = (0..<size).map(Int32.init)

    private func withAllPositions(_ body: (UnsafeBufferPointer<Int32>) -> Void) {
        allPositions.withUnsafeBufferPointer(body)
    }

    /// `(w - w^)' H (w - w^)` a row.
    private func weightedErrors() -> [Double] {
        sums { (weights[$0] - quantized[$0]) * gradient[$0] }
    }

    /// `|w - w^|^2` a row.
    private func plainErrors() -> [Double] {
        sums { (weights[$0] - quantized[$0]) * (weights[$0] - quantized[$0]) }
    }

    private func sums(_ term: (Int) -> Lanes) -> [Double] {
        var sums = [Double](repeating: 0, count: Self.lanes)
        for position in 0..<size {
            let value = term(position)
            for lane in 0..<Self.lanes { sums[lane] += Double(value[lane]) }
        }
        return sums
    }

    /// One pass over the columns: the nearest value to each weight plus what the errors before it ask for.
    private func feedBack() {
        buildTables()
        moments.feedback.withUnsafeBufferPointer { feedback in
            guard let feedback = feedback.baseAddress else { return }
            var position = 0
            while position < size {
                // Two columns share each look at the errors before them.
                let first = feedback + position * size
                let pair = position + 1 < size
                let second = pair ? first + size : first
                var sum0 = weights[position]
                var sum1 = pair ? weights[position + 1] : Lanes()
                for index in 0..<position {
                    let error = errors[index]
                    sum0 += error * first[index]
                    sum1 += error * second[index]
                }
                take(sum0, position)
                if pair {
                    sum1 += errors[position] * second[position]
                    take(sum1, position + 1)
                }
                position += 2
            }
        }
    }

    @inline(__always)
    private func take(_ target: Lanes, _ position: Int) {
        let value = tables.nearest(target, unit: unitOf[position], levels: codes + position * Self.lanes)
        quantized[position] = value
        errors[position] = weights[position] - value
    }

    private func buildTables() {
        coefficients.withUnsafeBufferPointer { coefficients in
            offsets.withUnsafeBufferPointer { offsets in
                tables.build(coefficients: coefficients.baseAddress!, offsets: offsets.baseAddress!)
            }
        }
    }

    /// Weight after weight takes the value that lowers the weighted error most, until none changes.
    ///
    /// - Returns: whether any weight changed.
    private func descend(_ rows: Int) -> Bool {
        buildTables()
        let flatGradient = UnsafeMutableRawPointer(gradient).assumingMemoryBound(to: Float.self)
        let flatValues = UnsafeMutableRawPointer(quantized).assumingMemoryBound(to: Float.self)
        var changed = false
        for lane in 0..<rows {
            for position in 0..<size {
                rowGradient[position] = flatGradient[position * Self.lanes + lane]
                rowValues[position] = flatValues[position * Self.lanes + lane]
            }
            if descendRow(lane) {
                changed = true
                for position in 0..<size {
                    flatGradient[position * Self.lanes + lane] = rowGradient[position]
                    flatValues[position * Self.lanes + lane] = rowValues[position]
                }
            }
        }
        return changed
    }

    private func descendRow(_ lane: Int) -> Bool {
        var any = false
        moments.matrix.withUnsafeBufferPointer { matrix in
            moments.inverseDiagonal.withUnsafeBufferPointer { inverse in
                unitOf.withUnsafeBufferPointer { unitOf in
                    for _ in 0..<settings.sweeps {
                        var changes = 0
                        for position in 0..<size {
                            let value = rowValues[position]
                            let target = value + rowGradient[position] * inverse[position]
                            let (best, level) = tables.nearest(target, lane: lane, unit: unitOf[position])
                            // Only what brings the value nearer to its target: equal distances must not
                            // swing.
                            guard abs(best - target) < abs(value - target) else { continue }
                            changes += 1
                            rowValues[position] = best
                            codes[position * Self.lanes + lane] = level
                            subtract(matrix.baseAddress! + position * size, times: best - value)
                        }
                        if changes == 0 { break }
                        any = true
                    }
                }
            }
        }
        return any
    }

    @inline(__always)
    private func subtract(_ column: UnsafePointer<Float>, times factor: Float) {
        let whole = size / 16 * 16
        let target = UnsafeMutableRawPointer(rowGradient)
        let source = UnsafeRawPointer(column)
        for index in stride(from: 0, to: whole, by: 16) {
            let old = target.loadUnaligned(fromByteOffset: 4 * index, as: Lanes.self)
            let new = old - source.loadUnaligned(fromByteOffset: 4 * index, as: Lanes.self) * factor
            target.storeBytes(of: new, toByteOffset: 4 * index, as: Lanes.self)
        }
        for index in whole..<size { rowGradient[index] -= column[index] * factor }
    }

    // MARK: - The best so far

    private func keepAll() {
        bestCodes.update(from: codes, count: size * Self.lanes)
        bestCoefficients = coefficients
    }

    private func keepBest() {
        let errors = weightedErrors()
        for lane in 0..<Self.lanes where errors[lane] < bestErrors[lane] {
            bestErrors[lane] = errors[lane]
            copyLane(lane, codes, coefficients, to: bestCodes, &bestCoefficients)
        }
    }

    private func restoreBest() {
        codes.update(from: bestCodes, count: size * Self.lanes)
        coefficients = bestCoefficients
    }

    private func copyLane(
        _ lane: Int, _ source: UnsafeMutablePointer<UInt8>, _ from: [Float],
        to target: UnsafeMutablePointer<UInt8>, _ coefficients: inout [Float]
    ) {
        for position in 0..<size {
            target[position * Self.lanes + lane] = source[position * Self.lanes + lane]
        }
        let perRow = units * planes
        for index in lane * perRow..<(lane + 1) * perRow { coefficients[index] = from[index] }
    }
}
