/// The tokenizers of both sides of a translation.
package protocol TranslationTokenizer: Sendable {
    /// The ids of a text in the source language, the end symbol included.
    func encodeSource(_ text: String) -> [Int]

    /// The ids of a text in the target language, the end symbol included.
    ///
    /// - Throws: `TokenizerError` where a file that translating does without cannot be read any more.
    func encodeTarget(_ text: String) throws(TokenizerError) -> [Int]

    /// Refuses to translate where nobody said into which language.
    func checkTarget() throws(TokenizerError)

    /// The text of target ids, special tokens left out.
    func decode(_ ids: [Int]) -> String
}

extension TranslationTokenizer {
    /// Most models translate into one language.
    package func checkTarget() throws(TokenizerError) {}
}
