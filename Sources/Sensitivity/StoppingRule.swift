/// Decides which cells of a sweep are known well enough for what they serve: the choice of a scheme for each sublayer, and the order of
/// the table.
///
/// A budget puts a price on bytes; at a price every sublayer takes the scheme of least loss + price x bytes. Another scheme is in
/// question where it could be the better one within the intervals, and then both need more items, unless what could be lost by the wrong
/// choice is small beside the loss of the whole plan: with n sublayers, `precision / sqrt(n)` of it each, since their errors are
/// independent. All prices at which some sublayer changes its scheme are looked at.
struct StoppingRule {
    /// Share of a plan's loss that wrong choices may cost.
    let precision: Double

    /// A cell as far as it was measured.
    struct Cell {
        /// The sublayer that it is a choice for; nil where it is only read.
        let sublayer: Int?
        let bytes: Int
        let klNats: Double
        /// Of the 95% interval.
        let halfWidth: Double
    }

    /// Half-width beside the loss that is wanted of every cell, so that a table's order is right.
    static var relativeWidth: Double { 0.25 }
    /// Prices that are looked at.
    static var priceCount: Int { 64 }

    /// Whether each cell needs more items.
    func needMore(_ cells: [Cell]) -> [Bool] {
        var needed = cells.map { $0.halfWidth > Self.relativeWidth * $0.klNats }
        let options = Dictionary(grouping: cells.indices.filter { cells[$0].sublayer != nil }) {
            cells[$0].sublayer ?? 0
        }.sorted { $0.key < $1.key }.map(\.value)
        for price in prices(cells, options) {
            func cost(_ cell: Int) -> Double { cells[cell].klNats + price * Double(cells[cell].bytes) }
            let best = options.map { options in options.min { cost($0) < cost($1) } ?? options[0] }
            let total = best.reduce(0) { $0 + max(0, cells[$1].klNats) }
            let allowance = precision * total / Double(max(1, options.count)).squareRoot()
            for (options, best) in zip(options, best) {
                for cell in options where cell != best {
                    let width = cells[cell].halfWidth + cells[best].halfWidth
                    guard cost(cell) - cost(best) < width, width > allowance else { continue }
                    needed[cell] = true
                    needed[best] = true
                }
            }
        }
        return needed
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
