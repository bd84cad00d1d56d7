import BitplanModels
import BitplanTensors
import Foundation

/// A line of standard input and what the model makes of it.
package struct AnsweredLine: Encodable, Sendable {
    /// The line.
    package let input: String
    /// A translation, a label, a vector or a text.
    package let output: String
}

/// Answers standard input with a model directory, packed or not: in order, as many lines at a time as a batch
/// has, or as are there.
///
/// A program that writes a line and waits for its answer gets it: lines are kept back for a fuller batch only
/// while more are waiting to be read. Where a line cannot be answered, those before it are, and nothing
/// behind it is.
/// - Parameter answer: called with every group of lines and their answers.
/// - Throws: `FileError` for a line that is not UTF-8 or that the model cannot answer, and what `answer`
///   throws.
package func run<Family: ModelFamily>(
    _ family: Family.Type, model directory: URL, options: TaskOptions,
    answer: ([AnsweredLine]) throws -> Void
) throws {
    let opened = try OpenedModel<Family>(directory, languages: options.languages)
    let task = try opened.family.task.prepared(options)
    let size = options.batchSize * options.threads
    var lines: [String] = []
    var answered = 0
    func answerAll() throws {
        defer { lines.removeAll() }
        guard !lines.isEmpty else { return }
        var options = options
        // A line's seed is its own, however many lines are answered at a time.
        options.seed &+= UInt64(answered)
        func outputs(_ lines: [String]) throws -> [AnsweredLine] {
            zip(lines, try task.run(opened.network, lines: lines, options: options))
                .map { AnsweredLine(input: $0, output: $1) }
        }
        do {
            try answer(try outputs(lines))
            answered += lines.count
        } catch let error as LineError {
            try answer(try outputs(Array(lines.prefix(error.index))))
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
