/// What an evaluator did wrong in answering a request: another try may go better.
struct EvaluatorFailure: Error, CustomStringConvertible, Sendable {
    let description: String

    init(_ description: String) { self.description = description }
}

/// An evaluator that cannot be used: one line that says which, what it was asked for and what it did.
package struct EvaluatorError: Error, CustomStringConvertible, Sendable {
    /// The line.
    package let description: String

    init(_ command: String, _ text: String) { description = "evaluator '\(command)': \(text)" }
}
