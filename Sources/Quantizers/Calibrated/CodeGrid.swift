import PlanFormat

/// Weights as codes with a few real coefficients a unit: `w = sum_p coefficient_p (table_p[level] - offset)`.
///
/// Binary codes have a plane and a coefficient (alpha) per bit and a table of -1 and +1; integers one plane,
/// the scale and the zero point as offset; NF4 one plane with the 16 levels.
struct CodeGrid {
    let rows: Int
    let columns: Int
    /// Columns of a unit inside a row; the last unit may be shorter.
    let unitWidth: Int
    let planes: Int
    let levels: Int
    /// (planes, levels).
    let table: [Float]
    /// The levels by rising value where coefficients are positive and fall from plane to plane.
    let ascending: [UInt8]
    /// Rounds a coefficient as it will be stored; nil where coefficients may not change.
    let storedCoefficient: (@Sendable (Double) -> Float)?

    /// (rows, units, planes).
    var coefficients: [Float]
    /// What the error feedback starts from where that is not `coefficients`; same shape.
    var searchedCoefficients: [Float]?
    /// (rows, units).
    var offsets: [Float]
    /// (rows, columns): the level of each weight.
    var codes: [UInt8]

    var units: Int { ceilDivide(columns, unitWidth) }

    /// The weight that a code stands for.
    func value(_ row: Int, _ column: Int) -> Float {
        let unit = row * units + column / unitWidth
        let level = Int(codes[row * columns + column])
        return (0..<planes).reduce(0) {
            $0 + coefficients[unit * planes + $1] * (table[$1 * levels + level] - offsets[unit])
        }
    }
}
