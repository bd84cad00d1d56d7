import BitplanTensors
import Foundation
import PlanFormat

/// Integers of 2 to 8 bits, rounded to nearest on a uniform grid per tensor, row or group of columns.
///
/// `w = scale * (code - zeroPoint)`. Symmetric grids have no stored zero point: it is 2^(bits - 1), and code
/// 0 is unused. Parts: `codes` U8 (rows, ceil(columns * bits / 8)), each row a `DenseBits` stream; `scales`
/// F32 or F16 (units), the units of a row one after the other; `zeroPoints` (units), whole numbers of the
/// scales' type, where asymmetric.
/// - Source: QuantNoise (Stock, Fan et al. 2020), section 2; round to nearest as in QLoRA (Dettmers et al.
///   2023).
enum IntegerCodes {
    /// Which columns share a grid, and where a unit's grid is stored.
    struct Units {
        let rows: Int
        let columns: Int
        let granularity: Scheme.Granularity

        var perRow: Int {
            switch granularity {
            case .tensor, .row: 1
            case .group(let width): (columns + width - 1) / width
            }
        }

        var count: Int { granularity == .tensor ? 1 : rows * perRow }

        /// Columns of one unit inside a row; the last may be shorter.
        var width: Int {
            if case .group(let width) = granularity { return width }
            return max(1, columns)
        }

        @inline(__always)
        func index(row: Int, column: Int) -> Int {
            granularity == .tensor ? 0 : row * perRow + column / width
        }
    }

    static func encode(
        _ weights: Matrix, bits: Int, symmetric: Bool, granularity: Scheme.Granularity,
        scales type: Scheme.FloatType, fit: CodeFit, context: CalibrationContext
    ) throws(QuantizationError) -> PackedMatrix {
        if type == .fp16 { try FullPrecision.checkHalf(weights) }
        let units = Units(rows: weights.rows, columns: weights.columns, granularity: granularity)
        var grids = Self.grids(weights, units: units, bits: bits, symmetric: symmetric, type: type)
        let lowest = symmetric ? 1.0 : 0.0
        var codes = [UInt8](repeating: 0, count: weights.storage.count)
        for row in 0..<weights.rows {
            for column in 0..<weights.columns {
                let index = row * weights.columns + column
                codes[index] = grids[units.index(row: row, column: column)]
                    .code(Double(weights.storage[index]), lowest: lowest)
            }
        }
        if fit == .calibrated {
            (grids, codes) = try Calibrated.integers(
                weights, bits: bits, symmetric: symmetric, granularity: granularity, type: type, grids: grids,
                codes: codes, context: context)
        }
        return packed(
            codes: codes, grids: grids, units: units, bits: bits, symmetric: symmetric, type: type)
    }

    /// The grid of each unit from its extremes.
    static func grids(
        _ weights: Matrix, units: Units, bits: Int, symmetric: Bool, type: Scheme.FloatType
    ) -> [UniformGrid] {
        var lowest = [Float](repeating: .infinity, count: units.count)
        var largest = [Float](repeating: -.infinity, count: units.count)
        for row in 0..<weights.rows {
            for column in 0..<weights.columns {
                let unit = units.index(row: row, column: column)
                let weight = weights.storage[row * weights.columns + column]
                lowest[unit] = min(lowest[unit], weight)
                largest[unit] = max(largest[unit], weight)
            }
        }
        return (0..<units.count).map { unit in
            guard lowest[unit] <= largest[unit] else {
                return UniformGrid(scale: 1, zeroPoint: 0, bits: bits)
            }
            return symmetric
                ? UniformGrid(symmetricUpTo: max(-lowest[unit], largest[unit]), bits: bits, type: type)
                : UniformGrid(from: lowest[unit], to: largest[unit], bits: bits, type: type)
        }
    }

    static func packed(
        codes: [UInt8], grids: [UniformGrid], units: Units, bits: Int, symmetric: Bool, type: Scheme.FloatType
    ) -> PackedMatrix {
        let rows = units.rows
        let columns = units.columns
        var parts = [
            "codes": PackedTensor(
                type: .uint8, shape: [rows, DenseBits.sizeInBytes(count: columns, bits: bits)],
                bytes: DenseBits.packedRows(codes, rows: rows, columns: columns, bits: bits)),
            "scales": PackedTensor(shape: [units.count], floats: grids.map(\.scale), as: type),
        ]
        if !symmetric {
            parts["zeroPoints"] = PackedTensor(shape: [units.count], floats: grids.map(\.zeroPoint), as: type)
        }
        return PackedMatrix(
            scheme: .integer(bits: bits, symmetric: symmetric, granularity: units.granularity, scales: type),
            rows: rows, columns: columns, parts: parts)
    }

    static func decode(
        _ packed: PackedMatrix, bits: Int, symmetric: Bool, granularity: Scheme.Granularity
    ) throws(QuantizationError) -> Matrix {
        let units = Units(rows: packed.rows, columns: packed.columns, granularity: granularity)
        let codes = DenseBits.unpackedRows(
            try packed.part("codes").bytes, rows: packed.rows, columns: packed.columns, bits: bits)
        let scales = try packed.part("scales").floats
        let zeroPoints = symmetric ? [] : try packed.part("zeroPoints").floats
        let middle = Float(1 << (bits - 1))
        var decoded = Matrix(rows: packed.rows, columns: packed.columns)
        for row in 0..<packed.rows {
            for column in 0..<packed.columns {
                let unit = units.index(row: row, column: column)
                let index = row * packed.columns + column
                decoded.storage[index] =
                    scales[unit] * (Float(codes[index]) - (symmetric ? middle : zeroPoints[unit]))
            }
        }
        return decoded
    }
}
