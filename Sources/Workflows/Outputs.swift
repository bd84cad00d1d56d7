import BitplanTensors
import Foundation

/// Tries where results go, before the long work that makes them; leaves nothing behind.
///
/// - Parameters:
///   - files: what is written; a directory by a file in it.
///   - inputs: what is read, files and directories.
/// - Throws: `FileError` where something cannot be written, or would be written over an input.
package func checkOutputs(_ files: [URL], inputs: [URL]) throws(FileError) {
    for file in files { try AtomicWrite.checkWritable(file, inputs: inputs) }
}
