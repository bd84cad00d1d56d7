import BitplanTensors
import Foundation

/// Writes text to standard output at once: nothing waits in a buffer, and an output that is full or closed is
/// an error.
///
/// - Throws: `FileError` that says what the system said.
func writeOutput(_ text: String) throws(FileError) {
    do {
        try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
    } catch {
        throw FileError("standard output", "cannot be written: \(FileError.reason(error))")
    }
}
