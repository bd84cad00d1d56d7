/// The names of an attention's four linear layers, as a family's checkpoints have them, and of its norms
/// where queries and keys have some.
struct AttentionNames {
    let query: String
    let key: String
    let value: String
    let output: String
    var queryNorm = ""
    var keyNorm = ""
    var outputNorm = ""

    /// `<name>.q_proj`, `.k_proj`, `.v_proj` and an output projection, `.out_proj` where it has no other
    /// name; norms `.q_norm` and `.k_norm`, and
    /// `.attn_sub_norm` of what the output projection sees.
    init(_ name: String, output: String = "out_proj") {
        query = name + ".q_proj"
        key = name + ".k_proj"
        value = name + ".v_proj"
        self.output = "\(name).\(output)"
        queryNorm = name + ".q_norm"
        keyNorm = name + ".k_norm"
        outputNorm = name + ".attn_sub_norm"
    }

    /// Layers of these names.
    init(query: String, key: String, value: String, output: String) {
        self.query = query
        self.key = key
        self.value = value
        self.output = output
    }
}

/// The shape of an attention.
struct AttentionShape: Sendable {
    /// Channels of the activations.
    let width: Int
    /// Heads of the queries.
    let heads: Int
    /// Heads of keys and values.
    let keyHeads: Int
    /// Channels of a head.
    let headSize: Int
    /// Whether queries, keys and values have biases.
    let hasBias: Bool
    /// Whether the output projection has one.
    let outputHasBias: Bool
    /// Turns queries and keys by their positions; nil where positions come with the embeddings, or not at
    /// all.
    let rotary: RotaryPositions?
    /// What dot products are multiplied by.
    let scale: Float
    /// Keeps the scaled products within a bound; nil where they are as they are.
    let cap: SoftCap?
    /// Added to the scores; nil where positions come otherwise.
    let relative: RelativePositions?
    /// How every head's queries and keys are normalized; nil where they are not.
    let headNorm: Normalization?
    /// How what the output projection sees is normalized; nil where it is not.
    let outputNorm: Normalization?
    /// How many tokens a token sees, itself the last of them; nil where it sees all before it.
    let window: Int?

    /// Heads that share the channels of the activations, as many for keys as for queries, with biases.
    init(width: Int, heads: Int) {
        self.init(width: width, heads: heads, keyHeads: heads, headSize: width / heads, hasBias: true)
    }

    /// An attention of these heads; the output projection has a bias where the others have one, and dot
    /// products are divided by the root of a head's channels, where nothing else is said.
    init(
        width: Int, heads: Int, keyHeads: Int, headSize: Int, hasBias: Bool, outputHasBias: Bool? = nil,
        rotary: RotaryPositions? = nil, headNorm: Normalization? = nil, outputNorm: Normalization? = nil,
        window: Int? = nil, scale: Float? = nil, cap: SoftCap? = nil, relative: RelativePositions? = nil
    ) {
        self.width = width
        self.heads = heads
        self.keyHeads = keyHeads
        self.headSize = headSize
        self.hasBias = hasBias
        self.outputHasBias = outputHasBias ?? hasBias
        self.rotary = rotary
        self.scale = scale ?? 1 / Float(headSize).squareRoot()
        self.cap = cap
        self.relative = relative
        self.headNorm = headNorm
        self.outputNorm = outputNorm
        self.window = window
    }
}
