import BitplanTensors
import Foundation
import GRDB

extension MeasurementStore {
    /// What a merge added.
    package struct MergeResult: Codable, Hashable, Sendable {
        /// Cells that only the other store had.
        package var cells = 0
        /// Cells of which the other store had more items.
        package var longer = 0
        /// Metrics that only the other store had.
        package var metrics = 0
        /// Own outputs of models that only the other store had.
        package var ownOutputs = 0
        /// Cells of as many items in both whose losses differ in some bit, as other machines may give; those
        /// of this store stay.
        package var different = 0
    }

    /// Adds what another store has and this one has not; of a cell in both, the one of more items stays.
    ///
    /// - Throws: `FileError` where either is damaged or cannot be used; nothing is added then.
    package func merge(_ other: MeasurementStore) throws(FileError) -> MergeResult {
        try other.check()
        return try write { db in
            var result = MergeResult()
            try Self.translating(other.file) {
                try other.database.read { source in try Self.merge(source, into: db, &result) }
            }
            return result
        }
    }

    private static func merge(_ source: Database, into db: Database, _ result: inout MergeResult) throws {
        try forEachOwnOutput(source) { row in
            _ = try outputs(row)
            try db.execute(
                sql: """
                    INSERT OR IGNORE INTO own_output (\(ownOutputColumns), record, checksum)
                    VALUES (?, ?, ?, ?, ?, ?, ?)
                    """, arguments: StatementArguments(row.databaseValues))
            result.ownOutputs += db.changesCount
        }
        for (theirs, key) in try experiments(source) {
            try db.execute(
                sql: "INSERT OR IGNORE INTO experiment (\(keyColumns)) VALUES (?, ?, ?, ?, ?, ?, ?)",
                arguments: StatementArguments(key))
            let ours = try Int64.fetchOne(
                db, sql: "SELECT id FROM experiment WHERE (\(keyColumns)) = (?, ?, ?, ?, ?, ?, ?)",
                arguments: StatementArguments(key))
            try forEachCell(source, of: theirs) { row, assignment in
                let items = try items(row, key: key, assignment: assignment).count
                let known = try Row.fetchOne(
                    db, sql: "SELECT items, record FROM cell WHERE experiment = ? AND assignment = ?",
                    arguments: [ours, assignment])
                if let known, case let count = try known.decode(Int.self, forColumn: "items"), count >= items
                {
                    let record: Data = try known.decode(forColumn: "record")
                    if count == items, try record != row.decode(forColumn: "record") { result.different += 1 }
                    return
                }
                try db.execute(
                    sql: """
                        INSERT OR REPLACE INTO cell (experiment, assignment, items, record, checksum)
                        VALUES (?, ?, ?, ?, ?)
                        """, arguments: [ours, assignment, items, row["record"], row["checksum"]])
                if known == nil { result.cells += 1 } else { result.longer += 1 }
            }
            try forEachMetric(source, of: theirs) { row, assignment in
                _ = try metric(row, key: key, assignment: assignment)
                try db.execute(
                    sql: """
                        INSERT OR IGNORE INTO metric (experiment, assignment, name, record, checksum)
                        VALUES (?, ?, ?, ?, ?)
                        """, arguments: [ours, assignment, row["name"], row["record"], row["checksum"]])
                result.metrics += db.changesCount
            }
        }
    }

    /// Number and key of every experiment.
    private static func experiments(_ db: Database) throws -> [(id: Int64, key: [String])] {
        try Row.fetchAll(db, sql: "SELECT id, \(keyColumns) FROM experiment ORDER BY id").map { row in
            let key = try (1...6).map { try row.decode(String.self, atIndex: $0) }
            let version: Int = try row.decode(forColumn: "version")
            return (try row.decode(forColumn: "id"), key + ["\(version)"])
        }
    }

    /// Calls `body` with every row of a table that belongs to an experiment, and its assignment.
    private static func forEach(
        _ columns: String, in table: String, _ db: Database, of experiment: Int64,
        _ body: (Row, String) throws -> Void
    ) throws {
        let rows = try Row.fetchCursor(
            db, sql: "SELECT assignment, \(columns) FROM \(table) WHERE experiment = ?",
            arguments: [experiment])
        while let row = try rows.next() { try body(row, try row.decode(forColumn: "assignment")) }
    }

    private static func forEachCell(
        _ db: Database, of experiment: Int64, _ body: (Row, String) throws -> Void
    ) throws { try forEach("items, record, checksum", in: "cell", db, of: experiment, body) }

    private static func forEachMetric(
        _ db: Database, of experiment: Int64, _ body: (Row, String) throws -> Void
    ) throws { try forEach("name, record, checksum", in: "metric", db, of: experiment, body) }

    /// Checks the whole file, checksums included.
    ///
    /// - Complexity: reads all of it.
    /// - Throws: `FileError` where it is damaged.
    package func check() throws(FileError) {
        try read { db in
            guard try String.fetchOne(db, sql: "PRAGMA quick_check(1)") == "ok" else {
                throw DatabaseError(resultCode: .SQLITE_CORRUPT)
            }
            try Self.forEachOwnOutput(db) { _ = try Self.outputs($0) }
            for (id, key) in try Self.experiments(db) {
                try Self.forEachCell(db, of: id) { _ = try Self.items($0, key: key, assignment: $1) }
                try Self.forEachMetric(db, of: id) { _ = try Self.metric($0, key: key, assignment: $1) }
            }
        }
    }

    /// Writes a copy to another file, all of it or nothing; claims stay behind.
    package func copy(to target: URL) throws(FileError) {
        // VACUUM INTO refuses a file that is there, and leaves half of one behind when it fails.
        let temporary = AtomicWrite.temporary(for: target)
        AtomicWrite.removeLeft(of: target)
        do {
            try FileManager.default.createDirectory(
                at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
            try? FileManager.default.removeItem(at: temporary)
            try database.writeWithoutTransaction { db in
                try db.execute(sql: "VACUUM INTO ?", arguments: [temporary.path])
            }
            try DatabaseQueue(path: temporary.path).write { try $0.execute(sql: "DELETE FROM claim") }
            guard rename(temporary.path, target.path) == 0 else {
                throw FileError(target, "cannot be written: \(String(cString: strerror(errno)))")
            }
        } catch {
            try? FileManager.default.removeItem(at: temporary)
            throw error as? FileError ?? FileError(target, "cannot be written: \(FileError.reason(error))")
        }
    }
}
