import BitplanKernels
import BitplanTensors

/// Scores the target tokens of a batch: all of the vocabulary, or those that a shortlist allows each
/// sentence.
///
/// Of a shortlist the rows of all sentences are decoded once a batch and multiplied together, but a sentence
/// sees its own alone: its translation does not depend on the batch. They are multiplied as FP32, under
/// schemes that quantize activations too.
struct TargetScores {
    private let network: EncoderDecoderNetwork
    /// By sentence, its tokens in rising order; nil for all of the vocabulary.
    private let tokens: [[Int]]?
    /// By sentence, the places of its tokens among the rows.
    private let places: [[Int]]
    /// The rows of the output of all sentences' tokens.
    private let rows: (weights: DenseMatrix, bias: [Float]?)?

    /// What a batch of sources may become.
    init(_ network: EncoderDecoderNetwork, _ sources: [[Int]], _ shortlist: Shortlist?) {
        self.network = network
        guard let shortlist else {
            (tokens, places, rows) = (nil, [], nil)
            return
        }
        let output = network.output
        let isShared = network.source.name == network.target.name
        let tokens = sources.map {
            shortlist.candidates($0, vocabularySize: output.weight.rows, isShared: isShared)
        }
        let all = Set(tokens.joined()).sorted()
        var rowOf = [Int](repeating: 0, count: output.weight.rows)
        for (row, token) in all.enumerated() { rowOf[token] = row }
        var matrix = Matrix(rows: all.count, columns: output.weight.columns)
        matrix.storage.withUnsafeMutableBufferPointer { storage in
            guard let base = storage.baseAddress else { return }
            for (row, token) in all.enumerated() {
                output.weight.copyRow(token, into: base + row * output.weight.columns)
            }
        }
        self.tokens = tokens
        places = tokens.map { $0.map { rowOf[$0] } }
        rows = (DenseMatrix(matrix), output.bias.map { bias in all.map { bias[$0] } })
    }

    /// The scores of a step, a row for each running hypothesis; `view` shows a sentence's part of them.
    func scores(_ states: Matrix) -> Matrix {
        guard let rows else { return network.logits(states) }
        var scores = rows.weights(states)
        if let bias = rows.bias { scores.add(bias) }
        return scores
    }

    /// Runs `body` on the scores that a row has for a sentence, which it may change, and what tokens they are
    /// of.
    func view<Value>(
        _ scores: inout Matrix, row: Int, sentence: Int,
        _ body: (UnsafeMutableBufferPointer<Float>, TargetTokens) -> Value
    ) -> Value {
        let columns = scores.columns
        return scores.storage.withUnsafeMutableBufferPointer { all in
            let line = UnsafeMutableBufferPointer(rebasing: all[row * columns..<(row + 1) * columns])
            guard let tokens else { return body(line, TargetTokens(tokens: nil)) }
            var own = places[sentence].map { line[$0] }
            return own.withUnsafeMutableBufferPointer { body($0, TargetTokens(tokens: tokens[sentence])) }
        }
    }
}

/// What tokens a line of scores is of.
struct TargetTokens {
    /// In rising order; nil for all of the vocabulary.
    fileprivate let tokens: [Int]?

    /// The token at a place of the line.
    subscript(place: Int) -> Int { tokens?[place] ?? place }

    /// The place of a token; nil where the line has none of it.
    func place(of token: Int) -> Int? {
        guard let tokens else { return token }
        var range = tokens.indices
        while !range.isEmpty {
            let middle = (range.lowerBound + range.upperBound) / 2
            if tokens[middle] == token { return middle }
            range = tokens[middle] < token ? middle + 1..<range.upperBound : range.lowerBound..<middle
        }
        return nil
    }
}
