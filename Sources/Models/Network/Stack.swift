import PlanFormat

/// The stack of layers that a sublayer belongs to: whose activations it changes, what its tokens see, and
/// when it runs.
package enum Stack: Sendable {
    /// Reads a whole text; every token sees every other.
    case encoder
    /// Writes behind an encoder, token by token; a token sees those before it.
    case decoder
    /// Reads a text and goes on with it, token by token; a token sees those before it.
    case decoderAlone

    /// When its products run.
    var passes: [Pass] {
        switch self {
        case .encoder: [.read]
        case .decoder: [.step]
        case .decoderAlone: [.read, .step]
        }
    }

    /// Whose keys a query sees in a pass.
    func keys(in pass: Pass) -> SublayerWork.Attention.Keys {
        switch self {
        case .encoder: .read
        case .decoder: .generated
        case .decoderAlone: pass == .read ? .readBefore : .readAndGenerated
        }
    }

    /// Whether a token sees only those before it.
    var isCausal: Bool { self != .encoder }
}
