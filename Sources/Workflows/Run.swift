import BitplanModels
import BitplanTensors
import Foundation

/// Answers standard input with a model directory, packed or not: in order, as many lines at a time as a batch
/// has, or as are there.
///
/// Whoever writes a line and waits for its answer gets it: lines are kept back for a fuller batch only while
/// more are waiting to be read. Where a line cannot be answered, those before it are, and nothing behind it
/// is.
/// - Parameter answer: called with every group of lines and their answers.
/// - Throws: `FileError` for a line that is not UTF-8 or that the model cannot answer, and what `answer`
///   throws.
package func run<Family: ModelFamily>(
    _ family: Family.Type, model directory: URL, options: TaskOptions,
    answer: ([(line: String, answer: String)]) throws -> Void
) throws {
    let opened = try OpenedModel<Family>(directory)
    let size = options.batchSize * options.threads
    var lines: [String] = []
    var answered = 0
    func answerAll() throws {
        defer { lines.removeAll() }
        guard !lines.isEmpty else { return }
        var options = options
        // A line's seed is its own, however many lines are answered at a time.
        options.seed &+= UInt64(answered)
        do {
            let answers = try opened.family.task.run(opened.network, lines: lines, options: options)
            try answer(Array(zip(lines, answers)))
            answered += lines.count
        } catch let error as LineError {
            let before = Array(lines[..<error.index])
            if !before.isEmpty {
                let answers = try opened.family.task.run(opened.network, lines: before, options: options)
                try answer(Array(zip(before, answers)))
            }
            throw FileError("standard input", "\(LineError(index: answered + error.index, error.message))")
        }
    }
    var input = InputLines()
    func next() throws -> String? {
        do {
            return try input.next()
        } catch {
            // What came before a line that cannot be read is answered.
            try answerAll()
            throw error
        }
    }
    while let line = try next() {
        lines.append(line)
        if try lines.count == size || !input.isNextReady() { try answerAll() }
    }
    try answerAll()
}
