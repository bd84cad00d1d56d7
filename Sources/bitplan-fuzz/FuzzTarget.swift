import BitplanTensors
import Foundation

/// A reader under random input: the input becomes one file of a directory, whose other files are sound.
///
/// What the reader throws is an answer. A crash, a report of the address sanitizer, more than 5 seconds or
/// too much memory end the fuzzer, which leaves the input.
struct FuzzTarget {
    /// How it is called on the command line and in reports.
    let name: String
    /// The name of the file that the input becomes.
    let file: String
    /// The other files of the directory, by their paths in the repository.
    var companions: [String] = []
    /// What makes an input pass checks that random bytes never pass, such as checksums.
    var repair: @Sendable (inout [UInt8]) -> Void = { _ in }
    /// Reads the file, and does with what was read what the commands do.
    let read: @Sendable (URL) throws -> Void

    /// All of them.
    static let all = checkpoints + models + tokenizers + documents + texts
}

/// The directory of a target, in memory where the system has a place for that.
final class FuzzWorkspace {
    private let target: FuzzTarget
    private let file: URL

    /// Makes the directory with its sound files; the current directory is the repository.
    init(_ target: FuzzTarget) throws {
        self.target = target
        let directory = FileManager.default.temporaryDirectory
            .appending(path: "bitplan-fuzz-\(target.name)-\(ProcessInfo.processInfo.processIdentifier)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        for companion in target.companions {
            let source = URL(filePath: companion)
            try FileManager.default.copyItem(
                at: source, to: directory.appending(path: source.lastPathComponent))
        }
        file = directory.appending(path: target.file)
    }

    /// Writes an input and has it read.
    func read(_ input: UnsafeRawBufferPointer) {
        var bytes = [UInt8](input)
        target.repair(&bytes)
        let descriptor = open(file.path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        precondition(descriptor >= 0 && write(descriptor, bytes, bytes.count) == bytes.count)
        close(descriptor)
        do {
            try target.read(file)
        } catch {
            precondition(!"\(error)".isEmpty, "an error that says nothing")
        }
    }
}
