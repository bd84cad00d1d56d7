import BitplanModels
import BitplanWorkflows
import Foundation

extension Model {
    /// Answers lines: translations, labels with their probability, vectors, or continued texts.
    ///
    /// - Parameters:
    ///   - lines: what the task reads: sentences, pairs with a tab between them, beginnings of texts.
    ///   - options: how the task is run.
    ///   - shortlist: of a translation model in Marian's own format, the tokens that translations may have.
    /// - Returns: an answer for each line, in their order.
    /// - Throws: `BitplanError` for a line that the model cannot answer; it says which.
    public func answer(
        _ lines: [String], options: RunOptions = RunOptions(), shortlist: URL? = nil
    ) throws(BitplanError) -> [String] {
        try describingErrors {
            func run<F: ModelFamily>(_ family: F.Type) throws -> [String] {
                let opened = try OpenedModel<F>(directory, languages: options.task.languages)
                var options = options.task
                options.shortlist = shortlist
                return try opened.family.task.prepared(options)
                    .run(opened.network, lines: lines, options: options)
            }
            return try run(try Families.family(of: directory))
        }
    }

    /// Measures the model on data: the task's metrics, cross-entropy, KL, bytes, tokens per second, peak
    /// memory.
    ///
    /// - Parameters:
    ///   - data: the items.
    ///   - reference: the full-precision model that KL is measured against.
    ///   - options: how the task is run.
    ///   - shortlist: of a translation model in Marian's own format, the tokens that translations may have.
    /// - Throws: `BitplanError` for what is wrong with models or data.
    public func evaluate(
        on data: TextData, against reference: Model? = nil, options: RunOptions = RunOptions(),
        shortlist: URL? = nil
    ) throws(BitplanError) -> Evaluation {
        try describingErrors {
            func run<F: ModelFamily>(_ family: F.Type) throws -> Evaluation {
                var options = options.task
                options.shortlist = shortlist
                return try BitplanWorkflows.evaluate(
                    family,
                    EvaluationRequest(
                        model: directory, reference: reference?.directory, source: data.source,
                        options: options, timed: 0))
            }
            return try run(try Families.family(of: directory))
        }
    }
}
