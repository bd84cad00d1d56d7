import BitplanMetrics
import BitplanTensors
import Foundation
import GRDB
import PlanFormat

/// What a store has of one assignment.
package struct StoredCell: Hashable, Sendable {
    /// Scores of the first items of the data, in their order; empty where there are none.
    package var items: [ItemScore]
    /// What metrics are made of, by metric and settings.
    package var metrics: [String: MetricItems]

    /// A cell of these parts.
    package init(items: [ItemScore] = [], metrics: [String: MetricItems] = [:]) {
        self.items = items
        self.metrics = metrics
    }
}

/// The measurements of one experiment in a store.
package struct StoredExperiment: Sendable {
    /// The store.
    package let store: MeasurementStore
    private let id: Int64
    private let key: [String]

    /// What is to be done about a cell.
    package enum Turn: Sendable {
        /// Nothing: this is known of it.
        case known(StoredCell)
        /// It is this process's to measure, and to `release` then; this is known of it.
        case claimed(StoredCell)
        /// Another process is at it.
        case others
    }

    /// The measurements of `experiment` in `store`.
    ///
    /// - Throws: `FileError` where the store cannot be read or written.
    package init(_ experiment: Experiment, in store: MeasurementStore) throws(FileError) {
        self.store = store
        key = experiment.parts
        let key = StatementArguments(experiment.parts)
        id = try store.write { db in
            let columns = MeasurementStore.keyColumns
            try db.execute(
                sql: "INSERT OR IGNORE INTO experiment (\(columns)) VALUES (?, ?, ?, ?, ?, ?, ?)",
                arguments: key)
            let id = try Int64.fetchOne(
                db, sql: "SELECT id FROM experiment WHERE (\(columns)) = (?, ?, ?, ?, ?, ?, ?)",
                arguments: key)
            guard let id else { throw DatabaseError(resultCode: .SQLITE_CORRUPT) }
            return id
        }
    }

    /// What is known of an assignment.
    package func cell(_ assignment: Assignment) throws(FileError) -> StoredCell {
        try store.read { try cell($0, Self.text(assignment)) }
    }

    /// Looks an assignment up and, where that is not enough, claims it, in one step.
    ///
    /// - Parameter isEnough: whether what is known suffices.
    package func turn(
        _ assignment: Assignment, isEnough: (StoredCell) -> Bool
    ) throws(FileError) -> Turn {
        let text = Self.text(assignment)
        let known = try store.read { try cell($0, text) }
        if isEnough(known) { return .known(known) }
        return try store.write { db in
            // Another process may have finished it meanwhile.
            let known = try cell(db, text)
            if isEnough(known) { return .known(known) }
            return try store.claim(db, experiment: id, assignment: text) ? .claimed(known) : .others
        }
    }

    /// Gives a claim back, whether the cell was measured or not.
    package func release(_ assignment: Assignment) throws(FileError) {
        try store.release(experiment: id, assignment: Self.text(assignment))
    }

    /// The scores of some items of an assignment: those that are kept, else measured and kept.
    ///
    /// - Returns: nil where another process is measuring it.
    package func scores(
        of assignment: Assignment, items: Range<Int>, measure: () throws -> [ItemScore]
    ) throws -> [ItemScore]? {
        switch try turn(assignment, isEnough: { $0.items.count >= items.upperBound }) {
        case .known(let cell):
            countKept()
            return Array(cell.items[items])
        case .others: return nil
        case .claimed(let cell):
            defer { try? release(assignment) }
            let scores = try measure()
            try record(scores, of: assignment, items: items, behind: cell)
            return scores
        }
    }

    /// Keeps the scores of some items of a claimed assignment.
    ///
    /// - Parameter cell: what was known of it when it was claimed.
    package func record(
        _ scores: [ItemScore], of assignment: Assignment, items: Range<Int>, behind cell: StoredCell
    ) throws(FileError) {
        store.count(made: 1)
        // Rounds follow each other, so what lies before is there, unless someone took the store away.
        guard cell.items.count >= items.lowerBound else { return }
        try record(cell.items[..<items.lowerBound] + scores, of: assignment)
    }

    /// Counts a measurement that was found.
    package func countKept() { store.count(kept: 1) }

    /// As above, once no other process is at it.
    package func finishedScores(
        of assignment: Assignment, items: Range<Int>, measure: () throws -> [ItemScore]
    ) throws -> [ItemScore] {
        while true {
            if let scores = try scores(of: assignment, items: items, measure: measure) { return scores }
            Self.wait()
        }
    }

    /// Until other processes may have finished what they are at.
    package static func wait() { Thread.sleep(forTimeInterval: 0.1) }

    /// Keeps the scores of the first items; more items replace fewer, never the other way round.
    package func record(_ items: [ItemScore], of assignment: Assignment) throws(FileError) {
        let text = Self.text(assignment)
        let record = ScoreRecord.encode(items)
        try store.write { db in
            try db.execute(
                sql: """
                    INSERT INTO cell (experiment, assignment, items, record, checksum) VALUES (?, ?, ?, ?, ?)
                    ON CONFLICT DO UPDATE
                        SET items = excluded.items, record = excluded.record, checksum = excluded.checksum
                        WHERE excluded.items > cell.items
                    """,
                arguments: [id, text, items.count, record, Checksum(key + [text], record).stored])
        }
    }

    /// Keeps what a metric is made of; `metric` names it with all its settings.
    package func record(_ items: MetricItems, metric: String, of assignment: Assignment) throws(FileError) {
        let text = Self.text(assignment)
        let record = MetricRecord.encode(items)
        try store.write { db in
            try db.execute(
                sql: """
                    INSERT OR REPLACE INTO metric (experiment, assignment, name, record, checksum)
                    VALUES (?, ?, ?, ?, ?)
                    """,
                arguments: [id, text, metric, record, Checksum(key + [text, metric], record).stored])
        }
    }

    /// The schemes of all sublayers in order, as people can read them in the file.
    private static func text(_ assignment: Assignment) -> String {
        assignment.map(\.description).joined(separator: " ")
    }

    private func cell(_ db: Database, _ assignment: String) throws -> StoredCell {
        var cell = StoredCell()
        let row = try Row.fetchOne(
            db, sql: "SELECT items, record, checksum FROM cell WHERE experiment = ? AND assignment = ?",
            arguments: [id, assignment])
        if let row { cell.items = try MeasurementStore.items(row, key: key, assignment: assignment) }
        let metrics = try Row.fetchAll(
            db, sql: "SELECT name, record, checksum FROM metric WHERE experiment = ? AND assignment = ?",
            arguments: [id, assignment])
        for row in metrics {
            let name: String = try row.decode(forColumn: "name")
            cell.metrics[name] = try MeasurementStore.metric(row, key: key, assignment: assignment)
        }
        return cell
    }
}

extension MeasurementStore {
    /// The columns of an experiment, in the order of its parts.
    static let keyColumns = "weights, configuration, data, calibration, fit, encoding, version"

    /// The scores of a row, once its checksum is right.
    static func items(_ row: Row, key: [String], assignment: String) throws -> [ItemScore] {
        let record: Data = try row.decode(forColumn: "record")
        guard try row.decode(forColumn: "checksum") == Checksum(key + [assignment], record).stored,
            let items = ScoreRecord.decode(record, items: try row.decode(forColumn: "items"))
        else { throw DatabaseError(resultCode: .SQLITE_CORRUPT) }
        return items
    }

    /// What the metric of a row is made of, once its checksum is right.
    static func metric(_ row: Row, key: [String], assignment: String) throws -> MetricItems {
        let name: String = try row.decode(forColumn: "name")
        let record: Data = try row.decode(forColumn: "record")
        guard try row.decode(forColumn: "checksum") == Checksum(key + [assignment, name], record).stored,
            let items = MetricRecord.decode(record)
        else { throw DatabaseError(resultCode: .SQLITE_CORRUPT) }
        return items
    }
}
