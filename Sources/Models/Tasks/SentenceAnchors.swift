import BitplanKernels
import BitplanTensors
import BitplanTokenizers
import Synchronization

/// Texts that a sentence encoder's vectors are compared with, so that its losses are KL as every other
/// model's.
///
/// A vector x becomes the distribution `softmax(cos(x, a_i) / temperature)` over the vectors a_i of the
/// anchors: how a search over these texts would rank them. KL between the distributions of two networks is
/// what quantizing changes in that ranking. The anchors are encoded by the network itself, as a search index
/// is: turning all vectors together, or raising all cosines alike, changes no ranking and costs nothing here,
/// whereas the distance between a text's two vectors would count both. The anchors come from the data,
/// because a model calibrated on sentences may well break on other texts; and they are the same for every
/// item, so that a loss does not depend on what stands beside it in a batch.
package final class SentenceAnchors: Sendable, Equatable {
    /// The texts as token ids.
    package let texts: [TokenSequence]

    /// The scale at which sentence encoders are trained (sentence-transformers: `scale` 20).
    package static let temperature: Float = 0.05
    /// How many texts of the data are taken, at most.
    static let count = 64

    /// Anchors of these texts.
    package init(_ texts: [TokenSequence]) { self.texts = texts }

    /// Two sets are equal if their texts are.
    package static func == (left: SentenceAnchors, right: SentenceAnchors) -> Bool {
        left.texts == right.texts
    }
}

/// The vectors that one network gives to anchors, computed when they are first needed.
final class AnchorVectors: Sendable {
    private let stored = Mutex<(anchors: SentenceAnchors, vectors: DenseMatrix)?>(nil)

    /// Cosines of the rows of `vectors` with the anchors, divided by the temperature.
    ///
    /// - Shapes: `vectors` (texts, width) gives (texts, anchors).
    func similarities(_ vectors: Matrix, to anchors: SentenceAnchors, of network: EncoderNetwork) -> Matrix {
        // Threads wait for the first one: encoding the anchors once costs less than encoding them side by
        // side.
        let index = stored.withLock { stored in
            if let stored, stored.anchors === anchors { return stored.vectors }
            let encoded = network.vectors(network.state([.init(anchors.texts)]))
            let index = DenseMatrix(encoded.normalizingRows())
            stored = (anchors, index)
            return index
        }
        var similarities = index(vectors.normalizingRows())
        for i in similarities.storage.indices { similarities.storage[i] /= SentenceAnchors.temperature }
        return similarities
    }
}
