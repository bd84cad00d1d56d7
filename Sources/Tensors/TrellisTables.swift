// Written by Scripts/trellis_tables.py.

/// The 256 levels of trellis codes of some bits a pair of weights, as sums of two tables of 16.
///
/// A window s of 8 bits stands for `step * (high[s >> 4] + low[s & 15] - offset)`, a number of about unit
/// variance. Numbers of both tables are at most 63, so that a sum fits 7 bits.
/// - Source: trained on normal numbers, best paths and least squares by turns, then rounded.
package struct TrellisTable: Sendable, Equatable {
    /// By the window's high 4 bits: 16 numbers in 0...63.
    package let high: [UInt8]
    /// By its low 4 bits: 16 numbers in 0...63.
    package let low: [UInt8]
    /// What is taken off a sum of both: an integer or half an odd one.
    package let offset: Float
    /// The distance of neighbouring sums.
    package let step: Float

    /// The table of codes of `bits` bits a pair of weights, 2 to 8.
    package static func pairBits(_ bits: Int) -> TrellisTable { tables[bits - 2] }

    /// The level of a window.
    package func value(_ window: UInt8) -> Float {
        step * (Float(high[Int(window >> 4)] + low[Int(window & 15)]) - offset)
    }

    /// The levels of all windows, 256 numbers.
    package var values: [Float] { (0...255).map(value) }

    private static let tables: [TrellisTable] = [
        TrellisTable(
            high: [47, 8, 14, 29, 12, 16, 11, 36, 6, 47, 24, 7, 31, 37, 36, 0],
            low: [18, 30, 49, 0, 9, 43, 8, 39, 20, 37, 1, 43, 49, 5, 38, 17],
            offset: 48.0, step: 0.03918886557221413),
        TrellisTable(
            high: [35, 33, 19, 19, 54, 9, 1, 55, 0, 17, 29, 44, 19, 43, 44, 2],
            low: [35, 0, 59, 25, 52, 21, 52, 21, 20, 53, 6, 40, 27, 59, 16, 45],
            offset: 59.5, step: 0.03971105068922043),
        TrellisTable(
            high: [0, 2, 35, 33, 19, 12, 13, 16, 15, 22, 0, 21, 32, 33, 22, 4],
            low: [25, 6, 17, 31, 0, 26, 13, 38, 47, 20, 32, 5, 28, 10, 41, 20],
            offset: 40.0, step: 0.06206487864255905),
        TrellisTable(
            high: [21, 36, 47, 0, 8, 12, 28, 19, 32, 52, 16, 43, 49, 25, 38, 31],
            low: [52, 28, 40, 6, 13, 32, 3, 21, 32, 25, 16, 45, 38, 0, 24, 13],
            offset: 53.0, step: 0.05452308431267738),
        TrellisTable(
            high: [20, 38, 52, 21, 44, 10, 14, 32, 6, 26, 31, 16, 26, 0, 36, 48],
            low: [25, 4, 30, 21, 40, 6, 13, 16, 0, 25, 22, 14, 5, 32, 18, 12],
            offset: 45.5, step: 0.06576183438301086),
        TrellisTable(
            high: [38, 0, 23, 36, 30, 32, 18, 46, 25, 29, 11, 8, 15, 21, 5, 26],
            low: [40, 22, 35, 19, 25, 29, 8, 14, 0, 19, 16, 32, 22, 7, 26, 12],
            offset: 42.5, step: 0.07609933614730835),
        TrellisTable(
            high: [25, 34, 36, 21, 32, 0, 62, 42, 39, 13, 18, 45, 14, 51, 28, 28],
            low: [30, 0, 37, 24, 41, 34, 24, 20, 28, 7, 17, 58, 52, 33, 12, 46],
            offset: 58.5, step: 0.056861426681280136),
    ]
}
