import BitplanTensors
import Foundation
import PlanFormat

/// Reads a sensitivity table that a sweep wrote.
///
/// - Throws: `FileError` where the file is something else, has another version, impossible shapes, or lacks a
///   cell.
package func readTable(_ file: URL) throws(FileError) -> SensitivityTable {
    let table = try JSONFile.read(SensitivityTable.self, from: file)
    try checkSchema(table.schemaVersion, expected: SensitivityTable.currentSchema, file)
    guard !table.candidates.isEmpty else { throw FileError(file, "has no candidates") }
    // What people write by hand must not overflow what is counted from it.
    let sizes = 1...(1 << 24)
    for sublayer in table.layout.sublayers {
        guard sublayer.name.depth ?? 0 < 1 << 16, sublayer.matrices.count <= 1 << 8 else {
            throw FileError(file, "sublayer '\(sublayer.name)' is deeper or has more matrices than any model")
        }
        for matrix in sublayer.matrices where !sizes.contains(matrix.rows) || !sizes.contains(matrix.columns)
        {
            throw FileError(
                file,
                "matrix '\(matrix.tensor)': expected sizes from 1 to \(1 << 24), got \(matrix.rows) x \(matrix.columns)"
            )
        }
    }
    for (index, sublayer) in table.layout.sublayers.enumerated() {
        let count = sublayer.matrices.count
        let work = table.layout.work(of: index)
        guard work.products.allSatisfy({ $0.matrices.allSatisfy((0..<count).contains) }),
            work.lookups.isEmpty || count > 0,
            work.attentions.allSatisfy({ sizes.contains($0.heads) && sizes.contains($0.width) })
        else { throw FileError(file, "the work of '\(sublayer.name.kind)' is not that of \(count) matrices") }
    }
    if let workload = table.workload {
        let counts = [workload.read, workload.steps, workload.predictions, workload.sequences]
        guard counts.allSatisfy({ (0...1 << 24).contains($0) }) else {
            throw FileError(file, "'workload' is impossible")
        }
    }
    guard !table.layout.sublayers.isEmpty, table.layout.sublayers.count < 1 << 16 else {
        throw FileError(file, "has \(table.layout.sublayers.count) sublayers")
    }
    let counts =
        [("fixedParameters", table.layout.fixedParameters), ("fixedBytes", table.layout.fixedBytes)]
        + table.layout.sublayers.map { ("vectors", $0.vectorCount) }
    for (name, count) in counts where !(0..<1 << 40).contains(count) {
        throw FileError(file, "'\(name)': \(count) is impossible")
    }
    try checkCells(
        table.bySublayer,
        rows: table.layout.sublayers.map { ($0.name.description, $0.options(table.candidates)) }, file)
    // Types are measured where they were wanted, under some of the candidates.
    if !table.byType.isEmpty {
        let measured = table.candidates.filter { scheme in table.byType.contains { $0.scheme == scheme } }
        let groups = table.layout.groups
        try checkCells(
            table.byType,
            rows: groups.map { ($0.name, table.layout.sublayers[$0.members[0]].options(measured)) }, file)
    }
    return table
}

/// Reads the evaluations that `auto` left.
///
/// - Throws: `FileError` where the file is something else, has another version or no rows.
package func readComparison(_ file: URL) throws(FileError) -> ComparisonTable {
    let comparison = try JSONFile.read(ComparisonTable.self, from: file)
    try checkSchema(comparison.schemaVersion, expected: ComparisonTable.currentSchema, file)
    guard !comparison.rows.isEmpty else { throw FileError(file, "has no rows") }
    return comparison
}

private func checkSchema(_ version: Int, expected: Int, _ file: URL) throws(FileError) {
    guard version == expected else {
        throw FileError(file, "schemaVersion \(version) is not supported, expected \(expected)")
    }
}

/// Every row has one cell, of a size that can be, under each of its schemes.
private func checkCells(
    _ cells: [SensitivityCell], rows: [(name: String, schemes: [Scheme])], _ file: URL
) throws(FileError) {
    for cell in cells where !(0...(1 << 40)).contains(cell.bytes) {
        throw FileError(file, "'\(cell.row)' under \(cell.scheme): \(cell.bytes) bytes are impossible")
    }
    let schemes = Dictionary(grouping: cells, by: \.row).mapValues { $0.map(\.scheme) }
    for (row, expected) in rows {
        let known = schemes[row] ?? []
        if let scheme = expected.first(where: { !known.contains($0) }) {
            throw FileError(file, "has no cell for '\(row)' under \(scheme)")
        }
        if let other = known.first(where: { !expected.contains($0) }) {
            throw FileError(file, "has a cell for '\(row)' under \(other), which is no candidate")
        }
        guard Set(known).count == known.count else {
            throw FileError(file, "has two cells for '\(row)' under one scheme")
        }
    }
    let names = rows.map(\.name)
    if let row = schemes.keys.sorted().first(where: { !names.contains($0) }) {
        throw FileError(file, "has cells for '\(row)', which is no part of the model")
    }
}
