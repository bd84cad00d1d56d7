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
    if let problem = table.layout.impossibility { throw FileError(file, problem) }
    if let workload = table.workload, !workload.isPossible {
        throw FileError(file, "'workload' is impossible")
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
