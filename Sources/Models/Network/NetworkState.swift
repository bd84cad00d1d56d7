import BitplanKernels
import BitplanTensors
import PlanFormat

/// Where the sequences of a batch lie: tokens of all sequences stand one after the other, without padding.
package struct SequenceOffsets: Sendable, Equatable {
    /// `starts[i] ..< starts[i + 1]` are the rows of sequence i.
    package let starts: [Int]

    /// Sequences of these lengths.
    package init(lengths: [Int]) {
        starts = lengths.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    }

    /// The number of sequences.
    package var count: Int { starts.count - 1 }

    /// The number of rows of all sequences.
    package var rows: Int { starts[count] }

    /// Rows of the longest sequence.
    package var longest: Int { (0..<count).map { self[$0].count }.max() ?? 0 }

    /// The rows of sequence `index`.
    package subscript(index: Int) -> Range<Int> { starts[index]..<starts[index + 1] }
}

/// Activations of a batch between two sublayers, those of both stacks where a network has two.
package struct NetworkState: Sendable {
    /// Activations of one stack.
    package struct Stream: Sendable {
        /// (tokens of all sequences, width).
        package var hidden: Matrix
        /// Where each sequence lies in `hidden`.
        package var sequences: SequenceOffsets

        /// Sequences whose tokens stand one after the other in `hidden`.
        package init(_ hidden: Matrix, _ sequences: SequenceOffsets) {
            self.hidden = hidden
            self.sequences = sequences
        }

        /// No sequences.
        static let empty = Stream(Matrix(rows: 0, columns: 0), SequenceOffsets(lengths: []))
    }

    /// The encoder's activations; empty in a decoder alone.
    package var encoder: Stream
    /// The decoder's, which wait at the embedding while an encoder runs; empty in an encoder alone.
    package var decoder: Stream
    /// The types of the encoder's tokens, where a model tells texts of a pair apart.
    var types: [Int] = []
    /// The rows of the table of positions that the encoder's tokens have, where positions are learned.
    var places: [Int] = []
    /// The decoder's rows that predict something; nil where all do.
    var predicting: [Int]?
    /// What a sentence encoder's vectors are compared with.
    var anchors: SentenceAnchors?
    /// What attentions read of the encoder, by sublayer, where it is known.
    var memories: [SublayerName: Attention.Memory] = [:]
    /// What a sublayer makes of the decoder's activations, where that is known before it runs.
    var known: KnownStream?

    /// The decoder's activations behind a sublayer, and the matrices that this sublayer had.
    struct KnownStream: Sendable {
        let sublayer: Int
        let matrices: [any LinearOperator]
        let stream: Stream
    }

    /// Activations of these stacks.
    init(encoder: Stream = .empty, decoder: Stream = .empty) {
        self.encoder = encoder
        self.decoder = decoder
    }

    /// Gradients of zero, in the form of this state.
    func zeros() -> NetworkState {
        func zeros(_ stream: Stream) -> Stream {
            Stream(
                Matrix(rows: stream.sequences.rows, columns: stream.hidden.columns), stream.sequences)
        }
        var zeros = NetworkState(encoder: zeros(encoder), decoder: zeros(decoder))
        zeros.types = types
        zeros.places = places
        return zeros
    }

    /// The activations of a stack.
    package subscript(stack: Stack) -> Stream {
        get { stack == .encoder ? encoder : decoder }
        _modify {
            if stack == .encoder { yield &encoder } else { yield &decoder }
        }
    }
}
