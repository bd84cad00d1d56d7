import BitplanTensors
import Foundation
import PlanFormat

/// Random trellis codes, any bytes being some, with the dense matrix that they stand for, read bit by bit.
struct RandomTrellisCodes {
    let scheme: Scheme.TrellisCodes
    let rows: Int
    let columns: Int
    /// Bytes of a column's streams.
    let lines: Int
    let codes: Data
    let scales: [Float]
    let columnScales: [Float]

    init(_ scheme: Scheme.TrellisCodes, rows: Int, columns: Int, seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        func halves(_ count: Int) -> [Float] {
            (0..<count).map { _ in HalfPrecision.rounded(Float(0.5 + generator.uniform()) / 16) }
        }
        self.scheme = scheme
        self.rows = rows
        self.columns = columns
        lines = stride(from: 0, to: rows, by: 256).reduce(0) {
            $0 + (min(256, rows - $1) * scheme.pairBits / 2 + 7) / 8
        }
        codes = Data((0..<lines * columns).map { _ in UInt8(truncatingIfNeeded: generator.next()) })
        scales = halves(rows)
        columnScales = scheme.columnScales ? halves(columns) : []
    }

    /// The window of a weight: the 8 bits that end with its symbol, those before the first from the end.
    func window(_ row: Int, _ column: Int) -> UInt8 {
        let first = row / 256 * 256
        let length = min(256, rows - first) * scheme.pairBits / 2
        return (0..<8).reduce(0) { window, i in
            var bit = (row - first + 1) * scheme.pairBits / 2 - 8 + i
            while bit < 0 { bit += length }
            let byte = codes[(first * scheme.pairBits / 16 + bit / 8) * columns + column]
            return window << 1 | byte >> (7 - bit % 8) & 1
        }
    }

    var packed: PackedMatrix {
        var parts = [
            "codes": PackedTensor(type: .uint8, shape: [lines, columns], bytes: codes),
            "scales": PackedTensor(shape: [rows], floats: scales, as: .fp16),
        ]
        if scheme.columnScales {
            parts["columnScales"] = PackedTensor(shape: [columns], floats: columnScales, as: .fp16)
        }
        return PackedMatrix(scheme: scheme.scheme, rows: rows, columns: columns, parts: parts)
    }

    /// W, without the rotation: the stored weights times R, whose columns are R of the unit vectors.
    var dense: Matrix {
        let table = TrellisTable.pairBits(scheme.pairBits)
        var stored = Matrix(rows: rows, columns: columns)
        for r in 0..<rows {
            for c in 0..<columns {
                let window = Int(window(r, c))
                let sum = Float(Int(table.high[window >> 4]) + Int(table.low[window & 15]))
                let scale = scales[r] * (scheme.columnScales ? columnScales[c] : 1)
                stored[r, c] = scale * table.step * (sum - table.offset)
            }
        }
        guard scheme.rotation, let rotation = HadamardRotation(columns: columns) else { return stored }
        var dense = Matrix(rows: rows, columns: columns)
        for c in 0..<columns {
            var unit = [Float](repeating: 0, count: columns)
            unit[c] = 1
            rotation.apply(to: &unit)
            for r in 0..<rows {
                let sum = (0..<columns).reduce(0.0) { $0 + Double(stored[r, $1]) * Double(unit[$1]) }
                dense[r, c] = Float(sum)
            }
        }
        return dense
    }
}
