import BitplanKernels
import BitplanTensors
import PlanFormat

/// The embeddings of source and target and the scores of tokens, which are one matrix, two or three.
struct TranslationEmbeddings: Sublayer {
    /// Names and shapes of what they are made of.
    struct Shape {
        /// The embedding of sources; of targets too, where those have none of their own.
        let source: String
        /// Tokens of the source.
        let sourceRows: Int
        /// The embedding of targets, where it is another.
        let target: String?
        /// Tokens of the target.
        let targetRows: Int
        /// The matrix that scores tokens; nil where the target's embedding does.
        let output: String?
        /// The bias of the scores; nil where there is none.
        let outputBias: String?
        /// Channels of the activations.
        let width: Int
        /// What embeddings are multiplied by.
        let scale: Float
        /// Positions that are added; nil where they come later or otherwise.
        var positions: Sinusoids?
    }

    let source: TokenEmbedding
    let target: TokenEmbedding
    let output: Linear
    let work: SublayerWork

    /// Takes the matrices and the bias that `shape` names.
    init(_ shape: Shape, _ reader: inout ParameterReader) throws(MissingWeight) {
        func embedding(
            _ name: String, _ rows: Int, _ reader: inout ParameterReader
        ) throws(MissingWeight) -> TokenEmbedding {
            try TokenEmbedding(
                name, rows: rows, width: shape.width, scale: shape.scale, positions: shape.positions,
                lookups: [.read, .step], isTied: false, &reader)
        }
        let source = try embedding(shape.source, shape.sourceRows, &reader)
        var target = source
        if let name = shape.target { target = try embedding(name, shape.targetRows, &reader) }
        var (matrixName, matrix) = (target.name, target.matrix)
        if let name = shape.output {
            (matrixName, matrix) = (
                name, try reader.matrix(name, rows: shape.targetRows, columns: shape.width)
            )
        }
        (self.source, self.target) = (source, target)
        var bias: [Float]?
        if let name = shape.outputBias { bias = try reader.vector(name, count: shape.targetRows) }
        // A bias of zeros, as most models have it, would cost a pass over the scores.
        output = Linear(
            tied: matrixName, matrix, bias: bias.flatMap { $0.contains { $0 != 0 } ? $0 : nil },
            called: shape.outputBias ?? "")
        let last = (shape.target == nil ? 0 : 1) + (shape.output == nil ? 0 : 1)
        work = SublayerWork(products: [.init([last], .predict)], lookups: [.read, .step])
    }
}
