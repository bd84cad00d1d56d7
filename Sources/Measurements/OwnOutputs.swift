import BitplanTensors
import Foundation
import GRDB

/// Everything that a model's own outputs are a function of, by content: the key under which a store keeps
/// them.
package struct OwnOutputKey: Hashable, Sendable {
    /// SHA-256 of the weights.
    package var weights: String
    /// SHA-256 of configuration and tokenizer, generation settings included.
    package var configuration: String
    /// SHA-256 of the inputs, and of how many are read.
    package var inputs: String
    /// How the outputs are decoded: `greedy`.
    package var decoding: String
    /// `Experiment.currentVersion` of the program that made them.
    package var version: Int

    /// A key of these parts.
    package init(
        weights: String, configuration: String, inputs: String, decoding: String,
        version: Int = Experiment.currentVersion
    ) {
        self.weights = weights
        self.configuration = configuration
        self.inputs = inputs
        self.decoding = decoding
        self.version = version
    }

    /// The parts in the order of the store's columns.
    var parts: [String] { [weights, configuration, inputs, decoding, "\(version)"] }
}

extension MeasurementStore {
    /// The columns of a key of own outputs, in the order of its parts.
    static let ownOutputColumns = "weights, configuration, inputs, decoding, version"

    /// The outputs, as token ids item by item, that are kept under a key; nil where there are none.
    ///
    /// - Throws: `FileError` where the record is damaged.
    package func ownOutputs(_ key: OwnOutputKey) throws(FileError) -> [[Int]]? {
        try read { db in
            let row = try Row.fetchOne(
                db,
                sql: """
                    SELECT \(Self.ownOutputColumns), record, checksum FROM own_output
                    WHERE (\(Self.ownOutputColumns)) = (?, ?, ?, ?, ?)
                    """, arguments: StatementArguments(key.parts))
            return try row.map { try Self.outputs($0) }
        }
    }

    /// Keeps a model's own outputs; those that are kept already stay.
    package func record(_ outputs: [[Int]], of key: OwnOutputKey) throws(FileError) {
        let record = TokenRecord.encode(outputs)
        try write { db in
            try db.execute(
                sql: """
                    INSERT OR IGNORE INTO own_output (\(Self.ownOutputColumns), record, checksum)
                    VALUES (?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: StatementArguments(key.parts)
                    + [record, Checksum(key.parts, record).stored])
        }
    }

    /// The outputs of a row, once its checksum is right.
    static func outputs(_ row: Row) throws -> [[Int]] {
        let record: Data = try row.decode(forColumn: "record")
        let version: Int = try row.decode(forColumn: "version")
        let parts = try (0..<4).map { try row.decode(String.self, atIndex: $0) } + ["\(version)"]
        guard try row.decode(forColumn: "checksum") == Checksum(parts, record).stored,
            let outputs = TokenRecord.decode(record)
        else { throw DatabaseError(resultCode: .SQLITE_CORRUPT) }
        return outputs
    }

    /// Calls `body` with the row of every model's own outputs.
    static func forEachOwnOutput(_ db: Database, _ body: (Row) throws -> Void) throws {
        let rows = try Row.fetchCursor(
            db, sql: "SELECT \(ownOutputColumns), record, checksum FROM own_output")
        while let row = try rows.next() { try body(row) }
    }
}
