import BitplanTensors
import Foundation
import GRDB
import Synchronization

/// What has been measured, in an SQLite file that several processes may share: no cell is measured twice.
///
/// Losses are kept item by item with their exact bits, so a table made from them is the same, byte for byte,
/// as one that was measured at once. Every record is one transaction in a write-ahead log: whatever ends the
/// program, what was recorded stays.
package final class MeasurementStore: Sendable {
    /// The version of the file format; a program reads older ones, and refuses newer ones.
    package static var currentSchema: Int { migrations.count }
    /// What marks an SQLite file as ours (`PRAGMA application_id`): "bitp".
    static let applicationID: Int32 = 0x6269_7470

    /// The file.
    package let file: URL
    let database: DatabaseQueue
    let owner: ClaimOwner
    private let counts = Mutex(Usage())

    /// How often this program found what it wanted, and how often it had to measure.
    package struct Usage: Hashable, Sendable {
        /// Measurements that were kept.
        package var kept = 0
        /// Measurements that were made.
        package var made = 0
    }

    /// What this program has used the store for so far.
    package var usage: Usage { counts.withLock { $0 } }

    func count(kept: Int = 0, made: Int = 0) {
        counts.withLock {
            $0.kept += kept
            $0.made += made
        }
    }

    /// Opens a store, or makes one where there is no file.
    ///
    /// - Throws: `FileError` for a file that is no store, is damaged, was made by a newer program, or cannot
    ///   be read or written.
    package init(_ file: URL) throws(FileError) {
        self.file = file
        var isDirectory: ObjCBool = false
        if FileManager.default.fileExists(atPath: file.path, isDirectory: &isDirectory), isDirectory.boolValue
        {
            throw FileError(file, "expected a measurement store, got a directory")
        }
        do {
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        } catch {
            throw FileError(file, "cannot be made: \(FileError.reason(error))")
        }
        database = try Self.translating(file) {
            var configuration = Configuration()
            configuration.busyMode = .timeout(30)
            let database = try DatabaseQueue(path: file.path, configuration: configuration)
            // Before anything is written: the file may belong to another program.
            try database.write { try Self.prepare($0, file) }
            try Self.useWriteAheadLog(database)
            return database
        }
        owner = ClaimOwner()
    }

    deinit { try? releaseAll() }

    /// The user's own store: in `XDG_CACHE_HOME`, else in the cache directory of the system.
    package static func defaultFile(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> URL {
        let home = URL(fileURLWithPath: environment["HOME"] ?? NSHomeDirectory())
        let cache: URL
        // A relative path is to be ignored (XDG base directory specification).
        if let path = environment["XDG_CACHE_HOME"], path.hasPrefix("/") {
            cache = URL(fileURLWithPath: path)
        } else {
            #if os(macOS)
                cache = home.appending(path: "Library/Caches")
            #else
                cache = home.appending(path: ".cache")
            #endif
        }
        return cache.appending(path: "bitplan/measurements.sqlite")
    }

    /// Makes the tables of an empty file, brings those of an older program up to date, and refuses any other
    /// file.
    private static func prepare(_ db: Database, _ file: URL) throws {
        let application = try Int32.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        let schema = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        let isEmpty =
            try application == 0 && schema == 0
            && Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_schema") == 0
        guard isEmpty || application == applicationID else {
            throw FileError(file, "is the SQLite database of another program, no measurement store")
        }
        guard schema <= currentSchema else {
            throw FileError(
                file,
                "is a measurement store of a newer bitplan: schema \(schema), this one knows up to \(currentSchema)"
            )
        }
        guard schema < currentSchema else { return }
        for migration in migrations[max(0, schema)...] { try db.execute(sql: migration) }
        try db.execute(sql: "PRAGMA application_id = \(applicationID)")
        try db.execute(sql: "PRAGMA user_version = \(currentSchema)")
    }

    /// What makes a file of schema n one of schema n + 1, by n: the first makes the tables of an empty file.
    private static let migrations = [measurementTables, metricItems, ownOutputTable]

    /// Metrics were kept as values alone, which cannot be compared beyond their noise: they are measured
    /// again.
    private static let metricItems = """
        DROP TABLE metric;
        CREATE TABLE metric (
            experiment INTEGER NOT NULL REFERENCES experiment (id),
            assignment TEXT NOT NULL,
            name TEXT NOT NULL,
            record BLOB NOT NULL,
            checksum INTEGER NOT NULL,
            PRIMARY KEY (experiment, assignment, name)
        );
        """

    /// `own_output.record` are token ids (`TokenRecord`).
    private static let ownOutputTable = """
        CREATE TABLE own_output (
            weights TEXT NOT NULL,
            configuration TEXT NOT NULL,
            inputs TEXT NOT NULL,
            decoding TEXT NOT NULL,
            version INTEGER NOT NULL,
            record BLOB NOT NULL,
            checksum INTEGER NOT NULL,
            PRIMARY KEY (weights, configuration, inputs, decoding, version)
        );
        """

    /// The tables of schema 1.
    private static let measurementTables = """
        CREATE TABLE experiment (
            id INTEGER PRIMARY KEY,
            weights TEXT NOT NULL,
            configuration TEXT NOT NULL,
            data TEXT NOT NULL,
            calibration TEXT NOT NULL,
            fit TEXT NOT NULL,
            encoding TEXT NOT NULL,
            version INTEGER NOT NULL,
            UNIQUE (weights, configuration, data, calibration, fit, encoding, version)
        );
        CREATE TABLE cell (
            experiment INTEGER NOT NULL REFERENCES experiment (id),
            assignment TEXT NOT NULL,
            items INTEGER NOT NULL,
            record BLOB NOT NULL,
            checksum INTEGER NOT NULL,
            PRIMARY KEY (experiment, assignment)
        );
        CREATE TABLE metric (
            experiment INTEGER NOT NULL REFERENCES experiment (id),
            assignment TEXT NOT NULL,
            name TEXT NOT NULL,
            bits INTEGER NOT NULL,
            checksum INTEGER NOT NULL,
            PRIMARY KEY (experiment, assignment, name)
        ) WITHOUT ROWID;
        CREATE TABLE claim (
            experiment INTEGER NOT NULL REFERENCES experiment (id),
            assignment TEXT NOT NULL,
            host TEXT NOT NULL,
            process INTEGER NOT NULL,
            owner TEXT NOT NULL,
            heartbeat REAL NOT NULL,
            PRIMARY KEY (experiment, assignment)
        ) WITHOUT ROWID;
        """

    /// The change of mode does not wait for other processes as transactions do, so it is tried again.
    private static func useWriteAheadLog(_ database: DatabaseQueue) throws {
        for attempt in 1... {
            do {
                try database.writeWithoutTransaction { db in
                    try db.execute(sql: "PRAGMA journal_mode = WAL")
                    // Losing power may lose the last records, never the file.
                    try db.execute(sql: "PRAGMA synchronous = NORMAL")
                }
                return
            } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY && attempt < 100 {
                Thread.sleep(forTimeInterval: 0.05)
            }
        }
    }

    /// Runs `body`; what SQLite says becomes one line about the file.
    static func translating<Value>(_ file: URL, _ body: () throws -> Value) throws(FileError) -> Value {
        do {
            return try body()
        } catch let error as FileError {
            throw error
        } catch let error as DatabaseError {
            switch error.resultCode {
            case .SQLITE_NOTADB: throw FileError(file, "is no measurement store (expected an SQLite file)")
            case .SQLITE_CORRUPT:
                throw FileError(file, "the measurement store is damaged; move it away to measure anew")
            case .SQLITE_BUSY, .SQLITE_LOCKED:
                throw FileError(file, "the measurement store is locked by another program")
            case .SQLITE_READONLY, .SQLITE_CANTOPEN, .SQLITE_PERM:
                throw FileError(file, "the measurement store cannot be written")
            default:
                throw FileError(file, "the measurement store: \(error.message ?? "\(error.resultCode)")")
            }
        } catch {
            throw FileError(file, "the measurement store: \(error)")
        }
    }

    /// A transaction.
    func write<Value>(_ body: (Database) throws -> Value) throws(FileError) -> Value {
        try Self.translating(file) { try database.write(body) }
    }

    /// A look-up.
    func read<Value>(_ body: (Database) throws -> Value) throws(FileError) -> Value {
        try Self.translating(file) { try database.read(body) }
    }
}
