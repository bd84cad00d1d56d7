import BitplanTensors
import PlanFormat

/// What each scheme with a grid hands to the error feedback, and takes back.
enum Calibrated {
    /// Binary codes from alternating ones: a code a weight, and alphas (rows, groups, bits).
    static func binaryCodes(
        _ scheme: Scheme.BinaryCodes, _ weights: Matrix, context: CalibrationContext
    ) throws(QuantizationError) -> (codes: [UInt8], alphas: [Float]) {
        let moments = try InputMoments(context, columns: weights.columns)
        let start = scheme.codes(weights, fit: .alternating, context: context)
        let (bits, type) = (scheme.bits, scheme.alphas)
        let (table, ascending) = binaryTable(bits: bits)
        var grid = CodeGrid(
            rows: weights.rows, columns: weights.columns, unitWidth: scheme.group ?? max(1, weights.columns),
            planes: bits,
            levels: 1 << bits, table: table, ascending: ascending, storedCoefficient: { type.rounded($0) },
            coefficients: start.alphas, offsets: [], codes: start.codes)
        grid.offsets = [Float](repeating: 0, count: grid.rows * grid.units)
        ErrorFeedback().fit(
            &grid, weights: weights, moments: moments,
            outputs: try context.outputMoments(rows: weights.rows), threads: context.threads)
        return (grid.codes, grid.coefficients)
    }

    /// Integers from round to nearest: scales are solved again where they belong to a row or a group of
    /// columns.
    static func integers(
        _ scheme: Scheme.Integers, _ weights: Matrix, grids: [UniformGrid], codes: [UInt8],
        context: CalibrationContext
    ) throws(QuantizationError) -> (grids: [UniformGrid], codes: [UInt8]) {
        let moments = try InputMoments(context, columns: weights.columns)
        let (bits, type) = (scheme.bits, scheme.scales)
        let lowest = scheme.symmetric ? 1 : 0
        let levels = (1 << bits) - lowest
        let units = scheme.units(rows: weights.rows, columns: weights.columns)
        let shared = units.isShared
        let byUnit = (0..<weights.rows * units.perRow).map { grids[shared ? 0 : $0] }
        let refit: @Sendable (Double) -> Float = { type.roundedScale($0) }
        var grid = CodeGrid(
            rows: weights.rows, columns: weights.columns, unitWidth: units.width, planes: 1, levels: levels,
            table: (0..<levels).map { Float($0 + lowest) }, ascending: (0..<levels).map { UInt8($0) },
            storedCoefficient: shared ? nil : refit, coefficients: byUnit.map(\.scale),
            offsets: byUnit.map(\.zeroPoint), codes: codes.map { $0 - UInt8(lowest) })
        searchScales(&grid, weights: weights, context: context)
        ErrorFeedback().fit(
            &grid, weights: weights, moments: moments,
            outputs: try context.outputMoments(rows: weights.rows), threads: context.threads)
        let fitted =
            shared
            ? grids
            : zip(grid.coefficients, grids).map {
                UniformGrid(scale: $0, zeroPoint: $1.zeroPoint, bits: bits)
            }
        return (fitted, grid.codes.map { $0 + UInt8(lowest) })
    }

    /// NF4 codes from nearest levels: scales are solved again where they are stored in FP32 and no block
    /// crosses a row.
    static func normalFloat(
        _ scheme: Scheme.NormalFloat, _ weights: Matrix, scales: [Float], codes: [UInt8],
        context: CalibrationContext
    ) throws(QuantizationError) -> (scales: [Float], codes: [UInt8]) {
        let moments = try InputMoments(context, columns: weights.columns)
        let (block, doubleQuantization) = (scheme.block, scheme.doubleQuantization)
        let aligned = weights.columns % block == 0
        let inUse = doubleQuantization ? DoubleQuantizedScales(scales).values : scales
        // A block that crosses rows has no place in a row's units: then every weight is its own unit.
        let units = aligned ? inUse : weights.storage.indices.map { inUse[$0 / block] }
        let refit: @Sendable (Double) -> Float = { max(0, Float($0)) }
        var grid = CodeGrid(
            rows: weights.rows, columns: weights.columns, unitWidth: aligned ? block : 1, planes: 1,
            levels: 16,
            table: NormalFloatLevels.values.map { Float($0) }, ascending: (0..<16).map { UInt8($0) },
            storedCoefficient: aligned && !doubleQuantization ? refit : nil, coefficients: units,
            offsets: [Float](repeating: 0, count: units.count), codes: codes)
        searchScales(&grid, weights: weights, context: context)
        ErrorFeedback().fit(
            &grid, weights: weights, moments: moments,
            outputs: try context.outputMoments(rows: weights.rows), threads: context.threads)
        return (aligned && !doubleQuantization ? grid.coefficients : scales, grid.codes)
    }

    /// Lets the error feedback start from clipped scales where a grid has few levels and scales of its own.
    private static func searchScales(_ grid: inout CodeGrid, weights: Matrix, context: CalibrationContext) {
        guard grid.levels <= 16, let stored = grid.storedCoefficient else { return }
        grid.searchedCoefficients = ScaleSearch.coefficients(grid, weights: weights, threads: context.threads)
            .map { stored(Double($0)) }
    }

    /// The table of binary codes: -1 and +1 by plane, and the codes by rising value for falling alphas.
    private static func binaryTable(bits: Int) -> (table: [Float], ascending: [UInt8]) {
        let levels = 1 << bits
        var table = [Float](repeating: 0, count: bits * levels)
        for plane in 0..<bits {
            for code in 0..<levels { table[plane * levels + code] = (code >> plane) & 1 == 1 ? 1 : -1 }
        }
        let ascending = (0..<levels).map { position in
            (0..<bits).reduce(UInt8(0)) { code, plane in
                code | UInt8((position >> (bits - 1 - plane)) & 1) << UInt8(plane)
            }
        }
        return (table, ascending)
    }
}
