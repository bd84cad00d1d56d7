/// Cuts text at spaces; a room of bitplan has the name of this module too.
public struct Tokenizer {
    /// The only tokenizer there is.
    public init() {}

    /// The words of `text`.
    public func tokens(of text: String) -> [Substring] { text.split(separator: " ") }
}
