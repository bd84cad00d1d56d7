import BitplanTensors
import Foundation

/// Tries where results go, before the long work that makes them; leaves nothing behind.
///
/// - Parameters:
///   - files: what is written; a directory by a file in it.
///   - inputs: what is read, files and directories.
/// - Throws: `FileError` where something cannot be written, or would be written over an input.
package func checkOutputs(_ files: [URL], inputs: [URL]) throws(FileError) {
    func place(_ file: URL) -> String { file.standardizedFileURL.resolvingSymlinksInPath().path }
    let read = Set(inputs.map(place))
    for file in files {
        guard !read.contains(place(file)) else {
            throw FileError(file, "is one of the inputs: it is not written over")
        }
        try AtomicWrite.checkWritable(file)
    }
}
