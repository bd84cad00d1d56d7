/// How a text's states become its vector.
package enum Pooling: Sendable, Equatable {
    /// The mean over all tokens.
    case mean
    /// The state of the first token.
    case first
}
