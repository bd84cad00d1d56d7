import BitplanLatency
import BitplanTensors
import Foundation
import PlanFormat

/// Runs `body`; a plan, table or profile that does not fit the model is reported with the file that it came
/// from.
package func naming<Value>(_ file: URL, _ body: () throws -> Value) throws -> Value {
    do {
        return try body()
    } catch let error as PlanError {
        throw FileError(file, "\(error)")
    } catch let error as LatencyError {
        throw FileError(file, "\(error)")
    }
}

/// Reads a latency profile that `profile` wrote.
///
/// - Throws: `FileError` where the file is something else, or has another version or impossible numbers.
package func readProfile(_ file: URL) throws -> LatencyProfile {
    let profile = try JSONFile.read(LatencyProfile.self, from: file)
    try naming(file) { try LatencyModel.check(profile) }
    return profile
}
