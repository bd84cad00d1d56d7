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

/// Answers standard input with a model directory, packed or not, in order.
///
/// Lines are answered when there are as many as the batches of all threads take, or as soon as no further input is waiting: a program that
/// writes a line gets its answer before it writes the next. Answers do not depend on how the lines came.
/// - Parameter answer: called with lines and their answers, which it passes on at once.
/// - Throws: `FileError` for the first line that is not UTF-8 or that the model cannot answer: the lines before it are answered, it and
///   those behind it are not.
package func run<Family: ModelFamily>(
    _ family: Family.Type, model directory: URL, options: TaskOptions,
    answer: ([AnsweredLine]) throws -> Void
) throws {
    let opened = try OpenedModel<Family>(directory)
    let size = options.batchSize * options.threads
    var lines: [String] = []
    var answered = 0
    func flush() throws {
        guard !lines.isEmpty else { return }
        let batch = lines
        lines.removeAll()
        var options = options
        // A line's seed is its own, however many lines are answered at a time.
        options.seed &+= UInt64(answered)
        func outputs(_ lines: [String]) throws -> [AnsweredLine] {
            zip(lines, try opened.family.run(opened.network, lines: lines, options: options))
                .map { AnsweredLine(input: $0, output: $1) }
        }
        do {
            try answer(try outputs(batch))
        } catch let error as LineError {
            try answer(try outputs(Array(batch.prefix(error.index))))
            throw FileError("standard input", "\(LineError(index: answered + error.index, error.message))")
        }
        answered += batch.count
    }
    var input = InputLines()
    func next() throws -> String? {
        do {
            return try input.next(beforeWaiting: flush)
        } catch {
            // What came before a line that cannot be read is answered.
            try flush()
            throw error
        }
    }
    while let line = try next() {
        lines.append(line)
        if lines.count == size { try flush() }
    }
    try flush()
}
