import PlanFormat

extension DecoderNetwork {
    /// The first half of a window is a prompt, the second as many tokens as are generated.
    package func workload(of example: Example) -> Workload {
        let read = max(1, example.tokens.count / 2)
        let count = max(1, example.tokens.count - read)
        return Workload(read: read, steps: count - 1, predictions: count)
    }

    /// Continues the first half of a window by as many tokens as the second has.
    package func answer(_ example: Example, maximumLength: Int?) -> Workload {
        var work = workload(of: example)
        work.predictions = min(maximumLength ?? .max, work.predictions)
        let tokens = generate(
            [Array(example.tokens.prefix(work.read))], maximumLength: work.predictions, endTokens: [])[0]
            .count
        return Workload(read: work.read, steps: max(0, tokens - 1), predictions: tokens)
    }

    /// Continues a prompt of so many tokens by exactly so many.
    package func perform(_ workload: Workload) {
        let prompt = Specimen.tokens(max(1, workload.read), vocabularySize: embedding.matrix.rows)
        _ = generate([prompt], maximumLength: workload.predictions, endTokens: [])
    }
}
