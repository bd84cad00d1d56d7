/// What a sublayer does, by the name that the papers give it; the unit of tables and presets is a kind, or a
/// kind at a depth.
///
/// The list below is what bitplan's own models are made of. It is open: a kind is its name.
public struct SublayerKind: RawRepresentable, Hashable, Sendable, Comparable, Codable,
    CodingKeyRepresentable
{
    /// `Enc_ee`, `FFN`...: not empty, without dots.
    public let rawValue: String

    /// The kind of this name.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// Token embeddings, and the output projection where it is tied to them.
    public static let embedding: SublayerKind = "Emb"
    /// Embeddings of positions.
    public static let positions: SublayerKind = "Pos"
    /// Embeddings of positions of an encoder in front of a decoder.
    public static let encoderPositions: SublayerKind = "Enc_pos"
    /// Embeddings of positions of a decoder behind an encoder.
    public static let decoderPositions: SublayerKind = "Dec_pos"
    /// The linear layer from embeddings to layers of another width.
    public static let embeddingProjection: SublayerKind = "Proj"
    /// The self-attention of an encoder in front of a decoder. Source of this name and the next four: Chung
    /// et al. 2020.
    public static let encoderSelfAttention: SublayerKind = "Enc_ee"
    /// The feed-forward of an encoder in front of a decoder.
    public static let encoderFeedForward: SublayerKind = "Enc_ffn"
    /// The self-attention of a decoder behind an encoder.
    public static let decoderSelfAttention: SublayerKind = "Dec_dd"
    /// The recurrent cell of a decoder behind an encoder, in the place of its self-attention.
    public static let decoderRecurrence: SublayerKind = "Dec_rnn"
    /// The decoder's attention to the encoder.
    public static let decoderCrossAttention: SublayerKind = "Dec_ed"
    /// The feed-forward of a decoder behind an encoder.
    public static let decoderFeedForward: SublayerKind = "Dec_ffn"
    /// The self-attention of a model of one stack.
    public static let attention: SublayerKind = "Attention"
    /// The feed-forward of a model of one stack.
    public static let feedForward: SublayerKind = "FFN"
    /// What a classifier makes of the first token's state.
    public static let pooler: SublayerKind = "Pooler"
    /// The classes of a classifier, or an output projection of its own.
    public static let head: SublayerKind = "Head"

    /// Biases and norms of the whole model.
    public static let vectors: SublayerKind = "Vectors"

    /// The stack of the kinds of a decoder behind an encoder.
    public static let decoderStack = "Dec"

    /// The stack before the underscore (`Enc` of `Enc_ee`); nil in models of one stack.
    public var stack: String? { rawValue.firstIndex(of: "_").map { String(rawValue[..<$0]) } }

    /// By name.
    public static func < (left: SublayerKind, right: SublayerKind) -> Bool { left.rawValue < right.rawValue }
}

extension SublayerKind: ExpressibleByStringLiteral, CustomStringConvertible {
    /// The kind of this name.
    public init(stringLiteral name: String) { self.init(rawValue: name) }

    /// The name.
    public var description: String { rawValue }
}
