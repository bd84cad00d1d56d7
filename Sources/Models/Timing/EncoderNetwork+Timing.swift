import BitplanTokenizers
import PlanFormat

extension EncoderNetwork {
    /// Runs one text, or a pair.
    package func answer(_ example: Example, maximumLength: Int?) -> Workload {
        let state = state([example])
        if pooling == nil { _ = logits(outputs(state)) } else { _ = vectors(state) }
        return workload(of: example)
    }

    /// All tokens are read.
    package func workload(of example: Example) -> Workload {
        Workload(
            read: example.sequences.reduce(0) { $0 + $1.ids.count }, steps: 0, predictions: 1,
            sequences: example.sequences.count)
    }

    /// Runs texts of so many tokens together.
    package func perform(_ workload: Workload) {
        let count = max(1, workload.sequences)
        let sequences = (0..<count).map { index in
            let length = workload.read * (index + 1) / count - workload.read * index / count
            return TokenSequence(
                ids: Specimen.tokens(length, vocabularySize: embedding.matrix.rows),
                typeIDs: [Int](repeating: 0, count: length))
        }
        _ = answer(Example(sequences), maximumLength: nil)
    }
}
