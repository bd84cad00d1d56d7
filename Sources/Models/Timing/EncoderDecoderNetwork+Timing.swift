import PlanFormat

extension EncoderDecoderNetwork {
    /// Translates one sentence greedily.
    package func answer(_ example: Example, maximumLength: Int?) -> Workload {
        let tokens = greedy([example.source], maximumLength: maximumLength)[0].count
        return Workload(read: example.source.count, steps: tokens, predictions: tokens)
    }

    /// The source is read, every target token is a step.
    package func workload(of example: Example) -> Workload {
        Workload(
            read: example.source.count, steps: example.target.count, predictions: example.target.count)
    }

    /// Translates a sentence of so many tokens into exactly so many.
    package func perform(_ workload: Workload) {
        _ = greedy(
            [Specimen.tokens(workload.read, vocabularySize: source.matrix.rows)],
            forcedLength: workload.steps)
    }
}
