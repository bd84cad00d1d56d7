/// Text to token ids and back.
///
/// Every conformer reproduces the ids of the reference implementation its files were made for, on any text:
/// empty, with control characters, in any script. Nothing is ever cut to a length unless the caller asks.
package protocol Tokenizer: Sendable {
    /// The number of ids; every id that `encode` returns lies in `0..<vocabularySize`.
    var vocabularySize: Int { get }

    /// The ids of `text`, with the special tokens that the model expects around them.
    ///
    /// - Complexity: linear in the length of `text` for text made of words of bounded length.
    func encode(_ text: String) -> [Int]

    /// The text of `ids`, special tokens left out.
    ///
    /// Ids that the vocabulary does not name (a model's output may have padding rows) contribute nothing.
    func decode(_ ids: [Int]) -> String
}
