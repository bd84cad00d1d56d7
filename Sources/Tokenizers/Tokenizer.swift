import Foundation

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

/// A tokenizer whose texts an encoder reads, alone or as a pair in one sequence.
package protocol EncoderTokenizer: Tokenizer {
    /// Whether an id is the number of a line of a file, so that a line that is missing shifts the ids behind
    /// it.
    var idsAreLines: Bool { get }

    /// The special tokens that stand around one text or a pair, and the largest type of any token.
    func frame(ofPair isPair: Bool) -> (specialTokens: Int, largestType: Int)

    /// The ids and type ids of one text or of a pair.
    ///
    /// - Parameter maximumLength: where given, the longer text is cut first, then both evenly, until no more
    ///   ids than this remain; the special tokens stay whatever the length.
    func encode(_ first: String, pairedWith second: String?, maximumLength: Int?) -> TokenSequence
}

extension EncoderTokenizer {
    /// The ids and type ids of one text or of a pair, whatever their number.
    package func encode(_ first: String, pairedWith second: String?) -> TokenSequence {
        encode(first, pairedWith: second, maximumLength: nil)
    }
}

/// The tokenizer of an encoder's directory: that of tokenizer.json by the kind of its model, or WordPiece of
/// vocab.txt where there is none.
///
/// - Parameter hasWords: whether the model may have a vocab.txt in the place of a tokenizer.json.
/// - Throws: as `WordPieceTokenizer.init` and `SubwordTokenizer.init`.
package func encoderTokenizer(
    directory: URL, hasWords: Bool
) throws(TokenizerError) -> any EncoderTokenizer {
    let path = directory.appending(path: "tokenizer.json")
    guard !hasWords || FileManager.default.fileExists(atPath: path.path) else {
        return try WordPieceTokenizer(directory: directory)
    }
    let file = try TokenizerFile(path, kinds: [WordPieceTokenizer.kind] + SubwordTokenizer.kinds)
    if file.kind == WordPieceTokenizer.kind {
        return try WordPieceTokenizer(file, WordPieceOptions(directory: directory), path: path.path)
    }
    return try SubwordTokenizer(file, path, directory: directory)
}
