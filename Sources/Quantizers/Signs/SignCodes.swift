import BitplanTensors
import Foundation
import PlanFormat

/// One bit a weight without or with one scale: `+1` if positive, else `-1`.
///
/// Parts: `signs` U8 (rows, ceil(columns / 8)), bit `c % 8` of byte `c / 8` is column c, 1 stands for +1;
/// `scale` F32 (1), the mean absolute weight, where scaled.
/// - Source: SensiMix (Piao et al. 2022), 1-bit value; the scale: XNOR-Net (Rastegari et al. 2016).
extension Scheme.Signs: SchemeCodec {
    func encode(_ weights: Matrix, fit: CodeFit, context: CalibrationContext) -> PackedMatrix {
        var parts = ["signs": SignBits.packed(weights) { weight, _ in weight > 0 }]
        if scaled {
            parts["scale"] = PackedTensor(
                shape: [1], floats: [Float(SignBits.meanMagnitude(weights.storage[...]))])
        }
        return PackedMatrix(scheme: scheme, rows: weights.rows, columns: weights.columns, parts: parts)
    }

    func decode(_ packed: PackedMatrix) throws(PackedMatrixError) -> Matrix {
        let scale = scaled ? try packed.part("scale").floats[0] : 1
        return SignBits.decoded(try packed.part("signs"), rows: packed.rows, columns: packed.columns) { _ in
            scale
        }
    }
}

/// BitNet's weights: signs of the centred weights, `Sign(0) = -1`, and the mean absolute value of the
/// uncentred ones as scale, by groups of consecutive rows.
///
/// Group g of G has the rows from `rows * g / G` to `rows * (g + 1) / G`. Parts: `signs` U8 (rows,
/// ceil(columns / 8)) as those of `sign`; `scales` F32 (groups).
/// - Source: BitNet (Wang et al. 2023), equations 1 to 3 and 12.
extension Scheme.BitLinear: SchemeCodec {
    func encode(_ weights: Matrix, fit: CodeFit, context: CalibrationContext) -> PackedMatrix {
        var centres = [Double](repeating: 0, count: weights.rows)
        var scales = [Float](repeating: 0, count: groups)
        for group in 0..<groups {
            let rows = rows(of: group, rows: weights.rows)
            let slice = weights.storage[rows.lowerBound * weights.columns..<rows.upperBound * weights.columns]
            scales[group] = Float(SignBits.meanMagnitude(slice))
            let centre = slice.isEmpty ? 0 : slice.reduce(0.0) { $0 + Double($1) } / Double(slice.count)
            for row in rows { centres[row] = centre }
        }
        let signs = SignBits.packed(weights) { weight, row in Double(weight) > centres[row] }
        return PackedMatrix(
            scheme: scheme, rows: weights.rows, columns: weights.columns,
            parts: ["signs": signs, "scales": PackedTensor(shape: [groups], floats: scales)])
    }

    func decode(_ packed: PackedMatrix) throws(PackedMatrixError) -> Matrix {
        let scales = try packed.part("scales").floats
        var byRow = [Float](repeating: 0, count: packed.rows)
        for group in 0..<groups {
            for row in rows(of: group, rows: packed.rows) { byRow[row] = scales[group] }
        }
        return SignBits.decoded(try packed.part("signs"), rows: packed.rows, columns: packed.columns) {
            byRow[$0]
        }
    }
}

/// One sign a weight, row by row.
enum SignBits {
    /// The mean absolute weight; 0 of none.
    static func meanMagnitude(_ weights: ArraySlice<Float>) -> Double {
        weights.isEmpty ? 0 : weights.reduce(0.0) { $0 + Double(abs($1)) } / Double(weights.count)
    }

    static func packed(_ weights: Matrix, _ positive: (Float, Int) -> Bool) -> PackedTensor {
        let rowBytes = ceilDivide(weights.columns, 8)
        var bytes = [UInt8](repeating: 0, count: weights.rows * rowBytes)
        for row in 0..<weights.rows {
            for (column, weight) in weights[row: row].enumerated() where positive(weight, row) {
                bytes[row * rowBytes + column / 8] |= 1 << UInt8(column % 8)
            }
        }
        return PackedTensor(type: .uint8, shape: [weights.rows, rowBytes], bytes: Data(bytes))
    }

    static func decoded(_ signs: PackedTensor, rows: Int, columns: Int, scale: (Int) -> Float) -> Matrix {
        let rowBytes = ceilDivide(columns, 8)
        let bytes = [UInt8](signs.bytes)
        var decoded = Matrix(rows: rows, columns: columns)
        for row in 0..<rows {
            let magnitude = scale(row)
            for column in 0..<columns {
                let bit = bytes[row * rowBytes + column / 8] >> UInt8(column % 8) & 1
                decoded.storage[row * columns + column] = bit == 1 ? magnitude : -magnitude
            }
        }
        return decoded
    }
}
