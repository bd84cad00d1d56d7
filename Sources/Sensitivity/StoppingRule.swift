import Foundation

/// Decides which cells of a sweep are known well enough for what they serve: the choice of a scheme for each
/// sublayer, and the order of the table.
///
/// A budget puts a price on bytes; at a price every sublayer takes the scheme of least loss + price x bytes.
/// What a choice may cost because cells are uncertain is its expected regret against each other scheme: with
/// g the gap between the two as measured, s the standard error of g and z = g / s,
///
///     E[max(0, -true gap)] = s (phi(z) - z (1 - Phi(z)))
///
/// At no price at which some sublayer changes its scheme may the regrets of all sublayers together exceed
/// `precision` of the plan's loss; where they do, the cells that have more than their share of it are
/// measured further.
/// - Source: the expected value of perfect information of ranking and selection (Chick and Inoue 2001),
///   applied to Lagrangian costs.
struct StoppingRule {
    /// Share of a plan's loss that wrong choices may cost.
    let precision: Double

    /// A cell as far as it was measured.
    struct Cell {
        /// The sublayer that it is a choice for; nil where it is only read.
        let sublayer: Int?
        let bytes: Int
        let klNats: Double
        /// Of `klNats`, for the loss over all items.
        let standardError: Double
    }

    /// Standard error beside the loss that is wanted of every cell, so that a table's order is right.
    static var relativeError: Double { 0.15 }
    /// Prices that are looked at.
    static var priceCount: Int { 64 }

    /// Whether each cell needs more items.
    func needMore(_ cells: [Cell]) -> [Bool] {
        var needed = cells.map { $0.standardError > Self.relativeError * $0.klNats }
        let options = Dictionary(grouping: cells.indices.filter { cells[$0].sublayer != nil }) {
            cells[$0].sublayer ?? 0
        }.sorted { $0.key < $1.key }.map(\.value)
        for price in prices(cells, options) {
            func cost(_ cell: Int) -> Double { cells[cell].klNats + price * Double(cells[cell].bytes) }
            var regrets: [(cells: [Int], regret: Double)] = []
            var total = 0.0
            for options in options {
                guard let best = options.min(by: { cost($0) < cost($1) }) else { continue }
                total += max(0, cells[best].klNats)
                for cell in options where cell != best {
                    let regret = Self.regret(
                        gap: cost(cell) - cost(best), cells[cell].standardError, cells[best].standardError)
                    regrets.append(([cell, best], regret))
                }
            }
            let allowance = precision * total
            guard regrets.reduce(0, { $0 + $1.regret }) > allowance else { continue }
            for (cells, regret) in regrets where regret > allowance / Double(options.count) {
                for cell in cells { needed[cell] = true }
            }
        }
        return needed
    }

    /// What keeping the better of two options is expected to cost.
    static func regret(gap: Double, _ left: Double, _ right: Double) -> Double {
        let error = (left * left + right * right).squareRoot()
        guard error > 0 else { return 0 }
        let z = gap / error
        let density = exp(-z * z / 2) / (2 * Double.pi).squareRoot()
        return error * (density - z * 0.5 * erfc(z / 2.0.squareRoot()))
    }

    /// Prices of a byte at which sublayers go from one scheme to another.
    private func prices(_ cells: [Cell], _ options: [[Int]]) -> [Double] {
        let all = options.flatMap { options -> [Double] in
            let bySize = options.sorted { cells[$0].bytes < cells[$1].bytes }
            return zip(bySize, bySize.dropFirst()).compactMap { small, large in
                let bytes = cells[large].bytes - cells[small].bytes
                let gain = cells[small].klNats - cells[large].klNats
                return bytes > 0 && gain > 0 ? gain / Double(bytes) : nil
            }
        }.sorted()
        guard all.count > Self.priceCount else { return all }
        return (0..<Self.priceCount).map { all[$0 * (all.count - 1) / (Self.priceCount - 1)] }
    }
}
