import BitplanTensors
import Foundation
import GRDB
import PlanFormat

/// What a store holds, experiment by experiment.
package struct StoreSummary: Codable, Hashable, Sendable {
    /// One experiment.
    package struct Entry: Codable, Hashable, Sendable {
        /// SHA-256 of the weights.
        package let weights: String
        /// SHA-256 of the data, and how much of them was read.
        package let data: String
        /// How codes were fitted.
        package let fit: String
        /// How matrices were encoded.
        package let encoding: String
        /// The version of what measured.
        package let version: Int
        /// Assignments with losses.
        package let cells: Int
        /// Items of all of them.
        package let items: Int
        /// Metrics.
        package let metrics: Int
        /// Cells that processes are at.
        package let claims: Int
    }

    /// The file.
    package let file: String
    /// Its bytes.
    package let bytes: Int
    /// The version of its format.
    package let schema: Int
    /// In the order in which they were begun.
    package let experiments: [Entry]
    /// Data sets for which a model's own outputs are kept.
    package let ownOutputs: Int
}

extension MeasurementStore {
    /// Counts what the store holds.
    ///
    /// - Throws: `FileError` where the file is damaged.
    package func summary() throws(FileError) -> StoreSummary {
        try check()
        return try read { db in
            let entries = try Row.fetchAll(
                db,
                sql: """
                    SELECT weights, data, fit, encoding, version,
                        (SELECT count(*) FROM cell WHERE experiment = id) AS cells,
                        (SELECT coalesce(sum(items), 0) FROM cell WHERE experiment = id) AS items,
                        (SELECT count(*) FROM metric WHERE experiment = id) AS metrics,
                        (SELECT count(*) FROM claim WHERE experiment = id) AS claims
                    FROM experiment ORDER BY id
                    """)
            let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
            let pageSize = try Int.fetchOne(db, sql: "PRAGMA page_size") ?? 0
            return StoreSummary(
                file: file.path, bytes: pages * pageSize,
                schema: try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0,
                experiments: try entries.map { row in
                    StoreSummary.Entry(
                        weights: try row.decode(forColumn: "weights"),
                        data: try row.decode(forColumn: "data"), fit: try row.decode(forColumn: "fit"),
                        encoding: try row.decode(forColumn: "encoding"),
                        version: try row.decode(forColumn: "version"),
                        cells: try row.decode(forColumn: "cells"), items: try row.decode(forColumn: "items"),
                        metrics: try row.decode(forColumn: "metrics"),
                        claims: try row.decode(forColumn: "claims"))
                },
                ownOutputs: try Int.fetchOne(db, sql: "SELECT count(*) FROM own_output") ?? 0)
        }
    }
}

extension MeasurementStore {
    /// Bytes of a store that has these assignments, about: an empty one, and a row and two keys of each. What
    /// does not fit into a page of 4096 bytes has pages of its own.
    package static func expectedBytes(of assignments: [Assignment], items: Int, isSketched: Bool) -> Int {
        let page = 4096
        return assignments.reduce(14 * page) { sum, assignment in
            let text = assignment.reduce(0) { $0 + $1.description.utf8.count + 1 }
            let record = 1 + items * (isSketched ? 44 : 18)
            let row = text + record + 30
            return sum + (row < page ? row : (row + page - 1) / page * page) + text
        }
    }
}
