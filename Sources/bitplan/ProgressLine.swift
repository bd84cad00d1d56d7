import Foundation

/// One line on standard error that says how far a long job is and how long it may still take; silent where that is no terminal.
final class ProgressLine {
    private let label: String
    private let start = ContinuousClock.now
    private let isShown = isatty(FileHandle.standardError.fileDescriptor) == 1

    init(_ label: String) { self.label = label }

    func show(_ done: Int, of total: Int) {
        guard isShown, done > 0 else { return }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let left = Int(seconds / Double(done) * Double(total - done))
        let text = "\r\(label): \(done) of \(total), \(left) s left   " + (done == total ? "\n" : "")
        FileHandle.standardError.write(Data(text.utf8))
    }
}
