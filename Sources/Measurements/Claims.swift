import BitplanTensors
import Dispatch
import Foundation
import GRDB
import Synchronization

/// Who measures a cell: so that processes on one store split the work instead of doing it twice.
///
/// A claim counts while its process lives and its heartbeat is young. It only saves work: a lost one costs a
/// cell that is measured twice, with the same result.
final class ClaimOwner: Sendable {
    /// Seconds between two heartbeats, and after which a silent process is taken for gone.
    static let period = 3.0
    static let patience = 30.0

    let host = ProcessInfo.processInfo.hostName
    let process = ProcessInfo.processInfo.processIdentifier
    /// Distinguishes stores opened in one process, and processes of one number.
    let token = UUID().uuidString
    private let timer = Mutex<DispatchSourceTimer?>(nil)

    /// Calls `beat` from now on every few seconds.
    func start(_ beat: @escaping @Sendable () -> Void) {
        timer.withLock { timer in
            guard timer == nil else { return }
            let source = DispatchSource.makeTimerSource(queue: .global(qos: .utility))
            source.schedule(deadline: .now() + Self.period, repeating: Self.period)
            source.setEventHandler(handler: beat)
            source.resume()
            timer = source
        }
    }

    func stop() {
        timer.withLock { timer in
            timer?.cancel()
            timer = nil
        }
    }

    deinit { stop() }

    /// Whether a claim's process cannot come back: it is silent for long, or was on this machine and is no
    /// more.
    func isGone(host: String, process: Int32, heartbeat: Double, now: Double) -> Bool {
        if now - heartbeat > Self.patience { return true }
        return host == self.host && process > 0 && kill(process, 0) != 0 && errno == ESRCH
    }
}

extension MeasurementStore {
    /// Claims a cell unless another process is at it.
    func claim(_ db: Database, experiment: Int64, assignment: String) throws -> Bool {
        let now = Date().timeIntervalSince1970
        let row = try Row.fetchOne(
            db,
            sql: "SELECT host, process, owner, heartbeat FROM claim WHERE experiment = ? AND assignment = ?",
            arguments: [experiment, assignment])
        if let row, try row.decode(String.self, forColumn: "owner") != owner.token, try !isGone(row, now: now)
        {
            return false
        }
        try db.execute(
            sql: """
                INSERT OR REPLACE INTO claim (experiment, assignment, host, process, owner, heartbeat)
                VALUES (?, ?, ?, ?, ?, ?)
                """,
            arguments: [experiment, assignment, owner.host, owner.process, owner.token, now])
        owner.start { [weak self] in try? self?.beat() }
        return true
    }

    private func beat() throws(FileError) {
        try write { db in
            try db.execute(
                sql: "UPDATE claim SET heartbeat = ? WHERE owner = ?",
                arguments: [Date().timeIntervalSince1970, owner.token])
        }
    }

    func release(experiment: Int64, assignment: String) throws(FileError) {
        try write { db in
            try db.execute(
                sql: "DELETE FROM claim WHERE experiment = ? AND assignment = ? AND owner = ?",
                arguments: [experiment, assignment, owner.token])
        }
    }

    /// Gives every claim back, and takes away those of processes that are gone.
    func releaseAll() throws(FileError) {
        owner.stop()
        try write { db in
            let now = Date().timeIntervalSince1970
            let rows = try Row.fetchAll(
                db, sql: "SELECT DISTINCT host, process, owner, heartbeat FROM claim")
            for row in rows {
                let token: String = try row.decode(forColumn: "owner")
                guard try token == owner.token || isGone(row, now: now) else { continue }
                try db.execute(sql: "DELETE FROM claim WHERE owner = ?", arguments: [token])
            }
        }
    }

    /// Whether the process of a claim is gone.
    private func isGone(_ row: Row, now: Double) throws -> Bool {
        owner.isGone(
            host: try row.decode(forColumn: "host"), process: try row.decode(forColumn: "process"),
            heartbeat: try row.decode(forColumn: "heartbeat"), now: now)
    }
}
