import PlanFormat

extension ModelLayout {
    /// The sublayers, each with the indices of what has schemes of their own in it: several where the layout
    /// is divided into matrices.
    var wholes: [(name: SublayerName, members: [Int])] {
        var wholes: [(name: SublayerName, members: [Int])] = []
        for (index, sublayer) in sublayers.enumerated() {
            let name = SublayerName(sublayer.name.kind, depth: sublayer.name.depth)
            if sublayer.name.part != nil, wholes.last?.name == name {
                wholes[wholes.count - 1].members.append(index)
            } else {
                wholes.append((name, [index]))
            }
        }
        return wholes
    }

    /// Bytes, and bits per weight with scales, of some of the sublayers under an assignment.
    func extent(of members: [Int], _ assignment: [Scheme]) -> (bytes: Int, bits: Double) {
        let bytes = members.reduce(0) { $0 + sublayers[$1].sizeInBytes(assignment[$1]) }
        let count = members.reduce(0) { $0 + sublayers[$1].count }
        return (bytes, 8 * Double(bytes) / Double(max(1, count)))
    }
}

/// The matrices of a sublayer under a plan, a table of them.
struct SublayerMatrices {
    /// The sublayer's name.
    let name: String
    /// What the matrices have together: scheme (`mixed` where there are several), bits per weight, bytes.
    let together: [String]
    /// Scheme, bits per weight, bytes and loss of every matrix, named with its sublayer.
    let table: MarkdownTable
}

extension Plan {
    /// What is inside the sublayers of more than one matrix, where matrices have schemes of their own; none
    /// for a table of whole sublayers.
    ///
    /// - Throws: `PlanError` where the plan does not fit the table's model.
    func matrices(of table: SensitivityTable) throws(PlanError) -> [SublayerMatrices] {
        guard table.layout.unit == .matrix else { return [] }
        let (layout, schemes) = (table.layout, try schemes(of: table.layout))
        return layout.wholes.filter { $0.members.count > 1 }.map { whole in
            func cells(_ members: [Int]) -> [String] {
                let (bytes, bits) = layout.extent(of: members, schemes)
                let scheme = sharedScheme(of: members, schemes)?.description ?? "mixed"
                return [scheme, fixed(bits, 2), grouped(bytes)]
            }
            var list = MarkdownTable(Self.matrixHeads(table))
            for member in whole.members {
                let name = layout.sublayers[member].name
                let loss = table.cell(name, schemes[member]).map(table.lossText) ?? ""
                list.add([name.description] + cells([member]) + [loss])
            }
            return SublayerMatrices(
                name: whole.name.description, together: cells(whole.members), table: list)
        }
    }

    /// The matrices of all sublayers in one table, each sublayer before its own.
    ///
    /// - Throws: as `matrices(of:)`.
    func matricesTable(of table: SensitivityTable) throws(PlanError) -> MarkdownTable {
        var all = MarkdownTable(Self.matrixHeads(table))
        for sublayer in try matrices(of: table) {
            all.add(["**\(sublayer.name)**"] + sublayer.together + [""])
            for row in sublayer.table.rows { all.add(row) }
        }
        return all
    }

    private static func matrixHeads(_ table: SensitivityTable) -> [String] {
        ["matrix", "scheme", "bits", "bytes", table.hasNats ? "KL alone x 1000" : "loss alone"]
    }
}

/// The scheme of some of the sublayers, where they have the same.
func sharedScheme(of members: [Int], _ schemes: [Scheme]) -> Scheme? {
    Set(members.map { schemes[$0] }).count == 1 ? members.first.map { schemes[$0] } : nil
}

extension SensitivityTable {
    /// The losses of whole sublayers, as far as cells of single matrices say them: their sums.
    var sumsTable: MarkdownTable {
        let schemes = Array(candidates.reversed())
        let cells = cellsByRow
        var table = MarkdownTable(["layer"] + schemes.map(\.description))
        for whole in layout.wholes where !layout.sublayers[whole.members[0]].isVectors {
            let names = whole.members.map { layout.sublayers[$0].name.description }
            let sums = schemes.map { scheme -> String in
                let found = names.compactMap { cells[$0]?[scheme]?.measurement.klNats }
                guard found.count == names.count else { return "" }
                return klText((hasNats ? 1000 : 1) * found.reduce(0, +))
            }
            table.add([whole.name.description] + sums)
        }
        return table
    }

    /// How `sumsTable` is read.
    static let sumsNote =
        "Each matrix alone, the rest in full precision; a sublayer has the sum of its matrices, which was not measured and has no "
        + "interval."
}

extension ModelReport {
    /// Whether matrices of a sublayer have schemes of their own.
    var isOfMatrices: Bool { sensitivity.layout.unit == .matrix }

    /// How a table of a plan's sublayers is read where their matrices have schemes of their own.
    static let mixedNote =
        "Where the matrices of a sublayer have several schemes, their mean bits a weight stand, scales included."

    /// How a reader gets to the matrices.
    static let matricesNote = "`bitplan report --matrices` lists the matrices of every sublayer."
}
