import BitplanTokenizers
import Foundation
import TestSupport
import Testing

/// The tokenizers of M2M100, NLLB, mBART-50 and T5 against the reference's on hostile strings
/// (Scripts/goldens/multilingual_tokenizers.py).
@Suite struct MultilingualTokenizerTests {
    private struct Golden: Decodable {
        struct Decoded: Decodable {
            let ids: [Int]
            let text: String

            init(from decoder: any Decoder) throws {
                var container = try decoder.unkeyedContainer()
                ids = try container.decode([Int].self)
                text = try container.decode(String.self)
            }
        }
        /// Null where the reference normalizes otherwise than SentencePiece.
        let source: [[Int]?]
        let target: [[Int]?]
        let decoded: [Decoded]
        let size: Int
    }

    private static func tokenizer(_ name: String, _ directory: URL? = nil) throws -> any TranslationTokenizer
    {
        let directory = directory ?? GoldenFiles.own.appending(path: name)
        switch name {
        case "t5": return try T5Tokenizer(directory: directory)
        case "mbart50": return try MultilingualTokenizer(directory: directory, [.mBart50])
        default: return try MultilingualTokenizer(directory: directory, [.m2m100, .nllb])
        }
    }

    @Test(arguments: ["m2m100", "nllb", "nllb-legacy", "mbart50", "t5"])
    func goldens(_ name: String) throws {
        let golden = try GoldenFiles.own("\(name)/golden.json", as: Golden.self)
        let texts = try GoldenFiles.own("texts.json", as: [String].self)
        let tokenizer = try Self.tokenizer(name)
        var differences = Differences()
        for (index, text) in texts.enumerated() {
            if let ids = golden.source[index] { differences.compare(tokenizer.encodeSource(text), ids, text) }
            if index < golden.target.count, let ids = golden.target[index] {
                differences.compare(try tokenizer.encodeTarget(text), ids, text)
            }
        }
        for row in golden.decoded {
            differences.compare(Array(tokenizer.decode(row.ids).utf8), Array(row.text.utf8), "\(row.ids)")
        }
        #expect(differences.compared > 500)
        #expect(differences.count == 0, "\(differences)")
        #expect(tokenizer.decode([-1, golden.size, 1 << 40]).isEmpty, "ids that there are not")
    }

    /// Languages by their codes; those that are not named stay.
    @Test func languages() throws {
        let tokenizer = try MultilingualTokenizer(
            directory: GoldenFiles.own.appending(path: "m2m100"), [.m2m100, .nllb])
        #expect(tokenizer.chosen == TranslationLanguages(source: "en", target: "de"))
        let other = try tokenizer.choosing(TranslationLanguages(target: "fr"))
        #expect(other.chosen == TranslationLanguages(source: "en", target: "fr"))
        #expect(other.encodeSource("the") == tokenizer.encodeSource("the"))
        let (german, french) = (try tokenizer.encodeTarget("the"), try other.encodeTarget("the"))
        #expect(german.dropFirst() == french.dropFirst() && french.first == other.targetID)
        #expect(french.first != german.first && tokenizer.targetID == german.first)
        #expect(try tokenizer.choosing(TranslationLanguages(source: "de")).encodeSource("the") == german)
        #expect(other.targetID.flatMap { other.language(of: $0) } == "fr")
        #expect(tokenizer.language(of: 0) == nil)
    }

    @Test(arguments: [
        ("m2m100", "eng", "expected one of 100 codes, such as en, got 'eng'"),
        ("nllb", "de", "expected one of 202 codes, such as deu_Latn, got 'de'"),
        ("mbart50", "fr", "expected one of 52 codes, such as fr_XX, got 'fr'"),
        ("mbart50", "??", "expected one of 52 codes, such as ar_AR, cs_CZ, de_DE, en_XX, es_XX, got '??'"),
    ])
    func languageThatDoesNotExist(_ name: String, _ code: String, _ message: String) throws {
        let tokenizer = try #require(try Self.tokenizer(name) as? MultilingualTokenizer)
        for (languages, side) in [
            (TranslationLanguages(source: code), "source"), (TranslationLanguages(target: code), "target"),
        ] {
            let error = #expect(throws: TokenizerError.self) { try tokenizer.choosing(languages) }
            #expect(
                error?.description.hasSuffix("tokenizer_config.json: \(side) language: \(message)") == true,
                "\(error.map { "\($0)" } ?? "")")
        }
    }

    @Test func noTargetLanguage() throws {
        let golden = GoldenFiles.own.appending(path: "m2m100")
        let directory = try TemporaryDirectory(
            copying: ["sentencepiece.bpe.model", "vocab.json"], from: golden)
        let tokenizer = try MultilingualTokenizer(directory: directory.url, [.m2m100, .nllb])
        #expect(tokenizer.chosen == TranslationLanguages(source: "en"))
        #expect(!tokenizer.encodeSource("the").isEmpty)
        let error = #expect(throws: TokenizerError.self) { try tokenizer.encodeTarget("the") }
        #expect(error?.description.contains("target language: expected one of 100 codes (--target") == true)
    }

    /// A golden's files after a change; what of them is wrong is one line that names the file.
    private func failure(_ name: String, _ change: (TemporaryDirectory) throws -> Void) throws -> String {
        let golden = GoldenFiles.own.appending(path: name)
        let files = try FileManager.default.contentsOfDirectory(atPath: golden.path)
        let directory = try TemporaryDirectory(copying: files, from: golden)
        try change(directory)
        let error = #expect(throws: TokenizerError.self, "\(name)") {
            try Self.tokenizer(name, directory.url)
        }
        let text = error.map { "\($0)" } ?? ""
        #expect(!text.contains(where: \.isNewline) && text.contains(directory.url.lastPathComponent))
        return text
    }

    @Test func missingVocabulary() throws {
        let missing = try failure("m2m100") {
            let named = #"{"tokenizer_class": "M2M100Tokenizer", "src_lang": "en"}"#
            try $0.write(Array(named.utf8), to: "tokenizer_config.json")
            try FileManager.default.removeItem(at: $0.url.appending(path: "vocab.json"))
        }
        #expect(missing.hasSuffix("vocab.json: cannot be read: no such file"), "\(missing)")
    }

    @Test(arguments: [
        ("m2m100", "sentencepiece.bpe.model"),
        ("nllb", "sentencepiece.bpe.model"), ("mbart50", "sentencepiece.bpe.model"), ("t5", "spiece.model"),
    ])
    func missingAndTruncatedFiles(_ name: String, _ file: String) throws {
        let missing = try failure(name) {
            try FileManager.default.removeItem(at: $0.url.appending(path: file))
        }
        #expect(missing.hasSuffix("\(file): cannot be read: no such file"), "\(missing)")
        let truncated = try failure(name) {
            // Within a piece: a file that ends behind one is whole to SentencePiece.
            let bytes = [UInt8](try Data(contentsOf: $0.url.appending(path: file)))
            try $0.write(Array(bytes.prefix(bytes.count / 2 - 3)), to: file)
        }
        #expect(truncated.contains(file), "\(truncated)")
    }

    @Test(arguments: [
        ("m2m100", #"{"tokenizer_class": "MBartTokenizer"}"#, "expected M2M100Tokenizer or NllbTokenizer"),
        ("mbart50", #"{"tokenizer_class": "MBartTokenizer"}"#, "expected MBart50Tokenizer"),
        ("m2m100", #"{"language_codes": "all"}"#, "expected m2m100 or wmt21, got 'all'"),
        ("m2m100", #"{"sp_model_kwargs": {"alpha": 1}}"#, "sp_model_kwargs.alpha is not supported"),
        ("nllb", #"{"tokenizer_class": "NllbTokenizer", "eos_token": "<end>"}"#, "expected '</s>'"),
        ("nllb", #"{"tokenizer_class": "NllbTokenizer", "src_lang": "xx"}"#, "source language: expected one"),
        ("nllb", #"{"tokenizer_class": "NllbTokenizer", "tgt_lang": 7}"#, "expected a string, got 7"),
        (
            "nllb",
            #"{"tokenizer_class": "NllbTokenizer", "added_tokens_decoder": {"4": {"content": "eng_Latn"}}}"#,
            "as in the vocabulary, got 4"
        ),
        ("t5", #"{"tokenizer_class": "ByT5Tokenizer"}"#, "expected T5Tokenizer"),
        ("t5", #"{"extra_ids": -1}"#, "expected 0 to 65536, got -1"),
        ("t5", #"{"pad_token": "<p>"}"#, "expected '<pad>', got '<p>'"),
    ])
    func badSettings(_ name: String, _ json: String, _ reason: String) throws {
        let text = try failure(name) { try $0.write(json, to: "tokenizer_config.json") }
        #expect(text.contains("tokenizer_config.json") && text.contains(reason), "\(text)")
    }

    /// Pieces that the special tokens' names already are, and a vocabulary without them.
    @Test func vocabulariesThatDoNotFit() throws {
        let text = try failure("m2m100") {
            try $0.write(#"{"<s>": 0, "</s>": 1, "<pad>": 2}"#, to: "vocab.json")
        }
        #expect(text.contains("the token '<unk>' is missing"), "\(text)")
        let twice = try failure("m2m100") {
            try $0.write(#"{"<s>": 0, "</s>": 1, "<pad>": 2, "<unk>": 3, "__de__": 4}"#, to: "vocab.json")
        }
        #expect(twice.contains("vocab.json: the token '__de__' occurs twice"), "\(twice)")
    }
}
