import Kernels
import Synchronization
import Tensors
import Tokenizers

/// Texts that a sentence encoder's vectors are compared with, so that its losses are KL as every other model's.
///
/// A vector x becomes the distribution `softmax(cos(x, a_i) / temperature)` over the anchors a_i: how a search over these
/// texts would rank them. KL between the distributions of two networks is what quantizing changes in that ranking. The anchors
/// are encoded by the network itself, as a search index is: turning all vectors together, or raising all cosines alike,
/// changes no ranking and costs nothing here, whereas the distance between a text's two vectors would count both. The
/// distribution depends on the text alone, not on what stands beside it in a batch.
final class SentenceAnchors: Sendable {
    let texts: [TokenSequence]
    private let vectors = Mutex<DenseMatrix?>(nil)

    /// The scale at which sentence encoders are trained (sentence-transformers: `scale` 20).
    static let temperature: Float = 0.05
    /// How many anchors there are.
    static let count = 256

    init(_ texts: [TokenSequence]) { self.texts = texts }

    /// Cosines of the rows of `outputs` with the anchors, divided by the temperature.
    ///
    /// - Shapes: `outputs` (texts, width) gives (texts, anchors).
    func similarities(_ outputs: Matrix, of network: BertNetwork) -> Matrix {
        // Encoded once, when first asked for: a network that only runs never needs them.
        let index = vectors.withLock { stored in
            let index =
                stored ?? DenseMatrix(network.outputs(network.state([.init(texts)])).normalizingRows())
            stored = index
            return index
        }
        var similarities = index(outputs.normalizingRows())
        for i in similarities.storage.indices { similarities.storage[i] /= Self.temperature }
        return similarities
    }

    /// Words of the vocabulary, evenly spaced over its ids: the same for every text, in the model's own language.
    static func words(of tokenizer: WordPieceTokenizer, length: Int) -> [TokenSequence] {
        var words: [TokenSequence] = []
        let total = tokenizer.vocabularySize
        var id = 0
        for number in 0..<count {
            id = max(id, number * total / count)
            while id < total {
                let word = tokenizer.decode([id])
                let sequence = tokenizer.encode(word, pairedWith: nil, maximumLength: length)
                id += 1
                // A whole word comes back as itself; pieces, unused and special tokens do not.
                if word.count > 1, word.allSatisfy(\.isLetter), sequence.ids.count == 3,
                    sequence.ids[1] == id - 1
                {
                    words.append(sequence)
                    break
                }
            }
        }
        return words
    }
}
