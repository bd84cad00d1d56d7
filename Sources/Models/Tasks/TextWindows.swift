/// How a language model reads a text: in windows that overlap.
package struct TextWindows: Hashable, Sendable, Codable {
    /// Tokens of a window; nil for as many as the family usually takes.
    package let context: Int?
    /// Tokens by which windows move on: so many are predicted in each window but the first, with the rest as
    /// context; nil for half a window.
    package let stride: Int?

    /// Windows of these tokens.
    package init(context: Int?, stride: Int?) {
        self.context = context
        self.stride = stride
    }

    /// What metrics over such windows have in their signatures.
    package var signature: String {
        [("context", context), ("stride", stride)].compactMap { name, tokens in tokens.map { "\(name):\($0)" }
        }
        .joined(separator: "|")
    }
}
