import BitplanTensors
import GRDB

extension MeasurementStore {
    /// What pruning removed.
    package struct PruneResult: Codable, Hashable, Sendable {
        /// Experiments.
        package let experiments: Int
        /// Their cells.
        package let cells: Int
        /// Their metrics.
        package let metrics: Int
        /// Own outputs of models.
        package let ownOutputs: Int
    }

    /// Removes what older versions of the program measured, which this one never asks for, and gives its
    /// space back. What newer ones measured stays, and so does what a process is at.
    ///
    /// - Throws: `FileError` where the file is damaged or cannot be written.
    package func prune() throws(FileError) -> PruneResult {
        try check()
        let old = """
            SELECT id FROM experiment
            WHERE version < \(Experiment.currentVersion) AND id NOT IN (SELECT experiment FROM claim)
            """
        let result = try write { db in
            func remove(_ sql: String) throws -> Int {
                try db.execute(sql: sql)
                return db.changesCount
            }
            let cells = try remove("DELETE FROM cell WHERE experiment IN (\(old))")
            let metrics = try remove("DELETE FROM metric WHERE experiment IN (\(old))")
            return PruneResult(
                experiments: try remove("DELETE FROM experiment WHERE id IN (\(old))"), cells: cells,
                metrics: metrics,
                ownOutputs: try remove(
                    "DELETE FROM own_output WHERE version < \(Experiment.currentVersion)"))
        }
        try Self.translating(file) { try database.vacuum() }
        return result
    }
}
