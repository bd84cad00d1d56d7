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
extension Scheme.Integers: SchemeCodec {
    /// Which columns share a grid, and where a unit's grid is stored.
    struct Units {
        let perRow: Int
        let count: Int
        /// Columns of one unit inside a row; the last may be shorter.
        let width: Int
        /// Whether the whole tensor is one unit.
        let isShared: Bool

        @inline(__always)
        func index(row: Int, column: Int) -> Int { isShared ? 0 : row * perRow + column / width }
    }

    /// The units of a matrix of this shape.
    func units(rows: Int, columns: Int) -> Units {
        let perRow = unitsPerRow(columns: columns)
        let isShared = granularity == .tensor
        return Units(
            perRow: perRow, count: isShared ? 1 : rows * perRow, width: columnsPerScale ?? max(1, columns),
            isShared: isShared)
    }

    func encode(_ weights: Matrix, fit: CodeFit, context: CalibrationContext)
        throws(QuantizationError) -> PackedMatrix
    {
        if scales == .fp16 { try weights.checkHalf() }
        let units = units(rows: weights.rows, columns: weights.columns)
        var grids = grids(weights, units: units)
        let lowest = symmetric ? 1.0 : 0.0
        var codes = [UInt8](repeating: 0, count: weights.storage.count)
        for row in 0..<weights.rows {
            for column in 0..<weights.columns {
                let index = row * weights.columns + column
                codes[index] = grids[units.index(row: row, column: column)]
                    .code(Double(weights.storage[index]), lowest: lowest)
            }
        }
        if fit.isCalibrated {
            (grids, codes) = try Calibrated.integers(
                self, weights, grids: grids, codes: codes, context: context)
        }
        return packed(codes: codes, grids: grids, rows: weights.rows, columns: weights.columns)
    }

    /// The grid of each unit from its extremes.
    private func grids(_ weights: Matrix, units: Units) -> [UniformGrid] {
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
                ? UniformGrid(symmetricUpTo: max(-lowest[unit], largest[unit]), bits: bits, type: scales)
                : UniformGrid(from: lowest[unit], to: largest[unit], bits: bits, type: scales)
        }
    }

    func packed(codes: [UInt8], grids: [UniformGrid], rows: Int, columns: Int) -> PackedMatrix {
        var parts = [
            "codes": PackedTensor(
                type: .uint8, shape: [rows, DenseBits.sizeInBytes(count: columns, bits: bits)],
                bytes: DenseBits.packedRows(codes, rows: rows, columns: columns, bits: bits)),
            "scales": PackedTensor(shape: [grids.count], floats: grids.map(\.scale), as: scales),
        ]
        if !symmetric {
            parts["zeroPoints"] = PackedTensor(
                shape: [grids.count], floats: grids.map(\.zeroPoint), as: scales)
        }
        return PackedMatrix(scheme: scheme, rows: rows, columns: columns, parts: parts)
    }

    func decode(_ packed: PackedMatrix) throws(PackedMatrixError) -> Matrix {
        let units = units(rows: packed.rows, columns: packed.columns)
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
