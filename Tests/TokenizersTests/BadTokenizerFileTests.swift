import BitplanTokenizers
import Foundation
import TestSupport
import Testing

/// Every way a file can be wrong gives one line that says what and where.
@Suite struct BadTokenizerFileTests {
    private enum Kind { case marian, wordPiece, bytePair }

    /// Loads a copy of one of the small tokenizers after `change`, and returns the error's text.
    private func failure(
        _ kind: Kind, of name: String, _ files: [String], _ change: (TemporaryDirectory) throws -> Void
    ) throws -> String {
        let directory = try TemporaryDirectory(copying: files, from: GoldenFiles.own.appending(path: name))
        try change(directory)
        let error = #expect(throws: TokenizerError.self) { try load(kind, directory.url) }
        let text = error.map { "\($0)" } ?? ""
        #expect(!text.contains { $0.isNewline }, "one line: \(text)")
        #expect(text.contains(directory.url.lastPathComponent), "names the file: \(text)")
        return text
    }

    private func load(_ kind: Kind, _ directory: URL) throws {
        switch kind {
        case .marian: _ = try MarianTokenizer(directory: directory)
        case .wordPiece: _ = try WordPieceTokenizer(directory: directory)
        case .bytePair: _ = try SubwordTokenizer(directory: directory)
        }
    }

    private func marian(_ change: (TemporaryDirectory) throws -> Void) throws -> String {
        try failure(.marian, of: "marian", ["source.spm", "target.spm", "vocab.json"], change)
    }

    private func wordPiece(_ change: (TemporaryDirectory) throws -> Void) throws -> String {
        try failure(.wordPiece, of: "wordpiece", ["vocab.txt"], change)
    }

    private func bytePair(_ change: (TemporaryDirectory) throws -> Void) throws -> String {
        try failure(.bytePair, of: "bpe-gpt2", ["tokenizer.json"], change)
    }

    /// The failure after one replacement in a file, which has to occur there.
    private func replacing(
        _ old: String, by new: String, in file: String, _ directory: TemporaryDirectory
    ) throws {
        let text = try directory.read(file)
        try #require(text.contains(old))
        try directory.write(text.replacing(old, with: new, maxReplacements: 1), to: file)
    }

    @Test(arguments: ["source.spm", "target.spm", "vocab.json"])
    func missingMarianFile(file: String) throws {
        let text = try marian { try FileManager.default.removeItem(at: $0.url.appending(path: file)) }
        #expect(text.hasSuffix("\(file): cannot be read: no such file"))
    }

    @Test func missingOtherFiles() throws {
        #expect(
            try wordPiece { try FileManager.default.removeItem(at: $0.url.appending(path: "vocab.txt")) }
                .hasSuffix("vocab.txt: cannot be read: no such file"))
        #expect(
            try bytePair { try FileManager.default.removeItem(at: $0.url.appending(path: "tokenizer.json")) }
                .hasSuffix("tokenizer.json: cannot be read: no such file"))
    }

    /// The target's model is read again when a text of its language is first encoded.
    @Test func targetModelThatDisappears() throws {
        let directory = try TemporaryDirectory(
            copying: ["source.spm", "target.spm", "vocab.json"],
            from: GoldenFiles.own.appending(path: "marian"))
        let tokenizer = try MarianTokenizer(directory: directory.url)
        try FileManager.default.removeItem(at: directory.url.appending(path: "target.spm"))
        #expect(tokenizer.decode(tokenizer.encodeSource("a")) == "a")
        let error = #expect(throws: TokenizerError.self) { try tokenizer.encodeTarget("a") }
        #expect(error?.description.hasSuffix("target.spm: cannot be read: no such file") == true)
    }

    @Test func unreadableSentencePieceModels() throws {
        #expect(
            try marian { try $0.write("", to: "source.spm") }.contains(
                "source.spm: not a SentencePiece model"))
        #expect(
            try marian { try $0.write("not a model", to: "target.spm") }.contains(
                "target.spm: not a SentencePiece"))
    }

    @Test(arguments: [
        (#"{"</s>":0,"<unk>":1,"<pad>":2"#, "invalid JSON: expected '}'"),
        (#"{"</s>":0,"<unk>":1,"<pad>":2}}"#, "text after the JSON document"),
        (#"{"</s>":0,"<unk>":1,"<pad>"}"#, "expected ':'"),
        (#"{"</s>":0,"<unk>":1,"<pad"#, "ends inside a string"),
        (#"{"\ud800":0}"#, "unpaired surrogate"),
        (#"{"\x":0}"#, "unknown escape"),
        (#"{"a":01}"#, "expected '}'"),
        (#"{"a":1.}"#, "expected a digit"),
        (#"["</s>"]"#, "document: expected an object, got an array"),
        (#"{"</s>":0,"<unk>":1,"<pad>":"2"}"#, "id of '<pad>': expected an integer, got a string"),
        (#"{"</s>":0,"<unk>":1,"<pad>":2.0}"#, "id of '<pad>': expected an integer, got 2.0"),
        (
            #"{"</s>":0,"<unk>":1,"<pad>":99999999999999999999}"#,
            "expected an integer, got 99999999999999999999"
        ),
        (#"{"</s>":0,"<unk>":1,"<pad>":3}"#, "the id of '<pad>' is 3, expected 0 to 2 for 3 tokens"),
        (#"{"</s>":0,"<unk>":1,"<pad>":-1}"#, "the id of '<pad>' is -1, expected 0 to 2 for 3 tokens"),
        (#"{"</s>":0,"<unk>":1,"<pad>":1,"a":2}"#, "'<unk>' and '<pad>' have the same id 1"),
        (#"{"</s>":0,"<unk>":1,"<pad>":2,"<unk>":3}"#, "the token '<unk>' occurs twice"),
        (#"{"<unk>":0,"<pad>":1}"#, "the token '</s>' is missing"),
        (#"{"</s>":0,"<pad>":1}"#, "the token '<unk>' is missing"),
        (#"{"</s>":0,"<unk>":1}"#, "the token '<pad>' is missing"),
        ("{}", "the token '</s>' is missing"),
        ("", "the file ends early"),
        (#"{"a\nb":0,"</s>":0}"#, #"'a\nb' and '</s>' have the same id 0"#),
        (String(repeating: "[", count: 100_000), "nested more than 128 deep"),
    ])
    func badVocabulary(json: String, reason: String) throws {
        let text = try marian { try $0.write(json, to: "vocab.json") }
        #expect(text.contains("vocab.json: "))
        #expect(text.contains(reason), "\(text)")
    }

    @Test func invalidUTF8() throws {
        let json = try marian {
            try $0.write(Array(#"{"a"#.utf8) + [0xC3, 0x28] + Array(#"":0}"#.utf8), to: "vocab.json")
        }
        #expect(json.hasSuffix("vocab.json: invalid UTF-8 at byte 3"))
        let lines = try wordPiece { try $0.write([0x61, 0x0A, 0xFF], to: "vocab.txt") }
        #expect(lines.hasSuffix("vocab.txt: invalid UTF-8 at byte 2"))
    }

    /// "é" in both normal forms are two tokens; Swift's strings would make them one.
    @Test func canonicallyEquivalentTokensStayApart() throws {
        let directory = try TemporaryDirectory(
            copying: ["source.spm", "target.spm"], from: GoldenFiles.own.appending(path: "marian"))
        try directory.write(
            #"{"</s>":0,"<unk>":1,"<pad>":2,"\u00e9":3,"e\u0301":4,"\u2581":5}"#, to: "vocab.json")
        let tokenizer = try MarianTokenizer(directory: directory.url)
        #expect(tokenizer.vocabularySize == 6)
        #expect(try tokenizer.encodeTarget("é") == [5, 3, 0])
        #expect(try tokenizer.encodeTarget("e\u{301}") == [5, 4, 0])
        #expect(Array(tokenizer.decode([4]).unicodeScalars) == ["e", "\u{301}"])
        #expect(Array(tokenizer.decode([3]).unicodeScalars) == ["\u{E9}"])
    }

    @Test(arguments: [
        (
            #"{"tokenizer_class":"T5Tokenizer"}"#,
            "tokenizer_class: expected MarianTokenizer, got 'T5Tokenizer'"
        ),
        (#"{"tokenizer_class":"a\nb\u2028c"}"#, #"expected MarianTokenizer, got 'a\nb\u{2028}c'"#),
        (#"{"separate_vocabs":1}"#, "separate_vocabs: expected true or false, got 1"),
        (#"{"separate_vocabs":true}"#, "target_vocab.json: cannot be read: no such file"),
        (
            #"{"sp_model_kwargs":{"enable_sampling":true}}"#,
            "sp_model_kwargs.enable_sampling is not supported"
        ),
        (#"{"eos_token":"<end>"}"#, "the token '<end>' is missing"),
        (#"{"eos_token":{"lstrip":true,"content":"</s>"}}"#, "eos_token.lstrip is not supported"),
        (#"{"additional_special_tokens":["<eop>"]}"#, "the token '<eop>' is missing"),
        (
            #"{"added_tokens_decoder":{"7":{"content":"</s>","special":true}}}"#,
            "id of '</s>': expected 0 as in the vocabulary, got 7"
        ),
        (#"{"added_tokens_decoder":{"x":{"content":"</s>"}}}"#, "expected an id as its name, got an object"),
        (
            #"{"added_tokens_decoder":{"2":{"content":"▁"}}}"#,
            "the added token '▁', which is not plain and special, is not supported"
        ),
        (
            #"{"added_tokens_decoder":{"0":{"content":"</s>","rstrip":true}}}"#,
            "which is not plain and special, is not supported"
        ),
        (#"{"unk_token":["<unk>"]}"#, "unk_token: expected an object, got an array"),
    ])
    func badMarianConfiguration(json: String, reason: String) throws {
        let text = try marian { try $0.write(json, to: "tokenizer_config.json") }
        #expect(text.contains(reason), "\(text)")
    }

    @Test func separateVocabulariesHaveToAgreeOnSpecialTokens() throws {
        let files = ["source.spm", "target.spm", "vocab.json", "target_vocab.json", "tokenizer_config.json"]
        let text = try failure(.marian, of: "marian-separate", files) {
            try $0.write(#"{"<unk>":0,"</s>":1,"<pad>":2}"#, to: "target_vocab.json")
        }
        #expect(text.hasSuffix("target_vocab.json: id of '</s>': expected 0 as in vocab.json, got 1"))
    }

    @Test(arguments: [
        ("[UNK]\n[CLS]\n[SEP]\na\nb\na\n", "the token 'a' occurs twice"),
        ("[UNK]\n[CLS]\na\n", "the token '[SEP]' is missing"),
        ("[CLS]\n[SEP]\na\n", "the token '[UNK]' is missing"),
        ("", "the file is empty"),
        ("[UNK]\n[CLS]\n\n[SEP]\na\n", "line 3 is empty: expected one token a line"),
        ("[UNK]\r\n[CLS]\r\n[SEP]\r\n \t\r\n", "line 4 is empty: expected one token a line"),
        ("[UNK]\n[CLS]\n[SEP]\n\n", "line 4 is empty: expected one token a line"),
    ])
    func badWordList(lines: String, reason: String) throws {
        let text = try wordPiece { try $0.write(lines, to: "vocab.txt") }
        #expect(text.hasSuffix("vocab.txt: \(reason)"), "\(text)")
    }

    @Test(arguments: [
        (
            #"{"tokenizer_class":"MPNetTokenizer"}"#,
            "tokenizer_class: expected BertTokenizer, got 'MPNetTokenizer'"
        ),
        (#"{"do_lower_case":"yes"}"#, "do_lower_case: expected true or false, got 'yes'"),
        (#"{"do_basic_tokenize":false}"#, "do_basic_tokenize = false is not supported"),
        (#"{"never_split":["x"]}"#, "never_split is not supported"),
        (#"{"added_tokens_decoder":{"500":{"content":"new"}}}"#, "the token 'new' is missing"),
        (#"{"cls_token":"<cls>"}"#, "the token '<cls>' is missing"),
    ])
    func badWordPieceConfiguration(json: String, reason: String) throws {
        let text = try wordPiece { try $0.write(json, to: "tokenizer_config.json") }
        #expect(text.contains(reason), "\(text)")
    }

    @Test(arguments: [
        (#""type":"BPE""#, #""type":"WordLevel""#, "model.type: expected BPE or Unigram, got 'WordLevel'"),
        (#""type":"BPE""#, #""type":"Unigram""#, "model.vocab: expected an array, got an object"),
        (#""normalizer":null"#, #""normalizer":{"type":"Nmt"}"#, "the normalizer 'Nmt' is not supported"),
        (#""normalizer":null"#, #""normalizer":{"type":"Prepend"}"#, "normalizer.prepend is missing"),
        (
            #""normalizer":null"#,
            #""normalizer":{"type":"Replace","pattern":{"Regex":"a+"},"content":""}"#,
            "the normalizer 'Replace' of the pattern 'a+' is not supported"
        ),
        (
            #""pre_tokenizer":{"type":"ByteLevel""#, #""pre_tokenizer":{"type":"UnicodeScripts""#,
            "the pre-tokenizer 'UnicodeScripts' is not supported"
        ),
        (
            #""pre_tokenizer":{"type":"ByteLevel""#, #""pre_tokenizer":{"type":"BertPreTokenizer""#,
            "the decoder 'ByteLevel' without the pre-tokenizer 'ByteLevel' is not supported"
        ),
        (
            #""pre_tokenizer":{"type":"ByteLevel""#,
            #""pre_tokenizer":{"type":"Split","pattern":{"Regex":"\\d+"},"behavior":"Isolated""#,
            #"the split pattern '\d+' is not supported"#
        ),
        (
            #""pre_tokenizer":{"type":"ByteLevel""#,
            #""pre_tokenizer":{"type":"Split","pattern":{"String":" "},"behavior":"Isolated""#,
            "the behavior 'Isolated' of the pre-tokenizer 'Split' by a plain string is not supported"
        ),
        (
            #""pre_tokenizer":{"type":"ByteLevel""#,
            #""pre_tokenizer":{"type":"Split","pattern":{"Regex":" "},"behavior":"Removed""#,
            "the behavior 'Removed' of the pre-tokenizer 'Split' is not supported"
        ),
        (
            #""post_processor":null"#, #""post_processor":{"type":"XLNetProcessing"}"#,
            "the post-processor 'XLNetProcessing' is not supported"
        ),
        (
            #""decoder":{"type":"ByteLevel""#, #""decoder":{"type":"Fuse""#,
            "the pre-tokenizer 'ByteLevel' without the decoder 'ByteLevel' is not supported"
        ),
        (
            #""decoder":{"type":"ByteLevel""#, #""decoder":{"type":"BPEDecoder""#,
            "the decoder 'BPEDecoder' is not supported"
        ),
        (
            #""byte_fallback":false"#, #""byte_fallback":true"#,
            "the model's byte_fallback behind the pre-tokenizer 'ByteLevel' is not supported"
        ),
        (#""dropout":null"#, #""dropout":0.1"#, "the model's dropout is not supported"),
        (
            #""end_of_word_suffix":null"#, #""end_of_word_suffix":"</w>""#,
            "the model's end_of_word_suffix is not supported"
        ),
        (#""unk_token":null"#, #""unk_token":"<nope>""#, "the token '<nope>' is missing"),
        (
            #""merges":["#, #""merges":[["t","hx"],"#,
            "merge 0 needs the token 'hx', which the vocabulary does not name"
        ),
        (
            #""merges":["#, #""merges":[["<|end|>","t"],"#,
            "merge 0 needs the token '<|end|>t', which the vocabulary does not name"
        ),
        (#""merges":["#, #""merges":["t h e","#, "model.merges[0]: expected two tokens, got 't h e'"),
        (#""merges":["#, #""merges":[["t"],"#, "model.merges[0]: expected two tokens, got an array"),
        (#""merges":["#, #""merges":[7,"#, "model.merges[0]: expected two tokens, got 7"),
        (#""merges":["#, #""merge":["#, "model.merges is missing"),
        (#""vocab":{"#, #""vocab":[],"x":{"#, "model.vocab: expected an object, got an array"),
        (#""vocab":{"#, #""vocab":{"zz":2,"#, "have the same id 2"),
        (#""vocab":{"#, #""vocab":{"zz":5000,"#, "the id of 'zz' is 5000, expected 0 to "),
        (
            #""added_tokens":["#, #""added_tokens":[{"id":5,"content":"<|begin|>"},"#,
            "the token '<|begin|>' occurs twice"
        ),
        (#""added_tokens":["#, #""added_tokens":[{"content":"<x>"},"#, "added_tokens[0].id is missing"),
        (#""model":{"#, #""modal":{"#, "model is missing"),
    ])
    func badTokenizerJSON(old: String, new: String, reason: String) throws {
        let text = try bytePair { try replacing(old, by: new, in: "tokenizer.json", $0) }
        #expect(text.contains("tokenizer.json: "))
        #expect(text.contains(reason), "\(text)")
    }

    /// The kinds that SentencePiece's files have.
    @Test(arguments: [
        ("unigram", #""unk_id":3"#, #""unk_id":null"#, "model.unk_id is missing"),
        ("unigram", #""unk_id":3"#, #""unk_id":9000"#, "model.unk_id: expected an id from 0 to "),
        ("unigram", #"["<s>",0.0]"#, #"["<s>"]"#, "model.vocab[0]: expected a piece and its score"),
        ("unigram", #"["<s>",0.0]"#, #"["<s>","0"]"#, "model.vocab[0]: expected a piece and its score"),
        ("unigram", #"["<s>",0.0]"#, #"[]"#, "model.vocab[0]: expected a token, got an array"),
        ("unigram", #"["<s>",0.0]"#, #"["<pad>",0.0]"#, "the token '<pad>' occurs twice"),
        (
            "unigram", #""precompiled_charsmap":""#, #""precompiled_charsmap":"AAAA"#,
            "normalizer.precompiled_charsmap: damaged character map"
        ),
        (
            "unigram", #""precompiled_charsmap":""#, #""precompiled_charsmap":"?"#,
            "normalizer.precompiled_charsmap: damaged character map"
        ),
        ("unigram", #""replacement":"▁""#, #""replacement":"▁▁""#, "replacement: expected one character"),
        (
            "unigram", #""prepend_scheme":"always""#, #""prepend_scheme":"last""#,
            "prepend_scheme: expected always, never or first, got 'last'"
        ),
        ("sp-llama", #""decoder":{"#, #""decoded":{"#, "decoder is missing"),
        (
            "sp-llama", #""type":"Strip","content":" ","start":1"#,
            #""type":"Strip","content":" ","start":-1"#,
            "expected a character and how many of them"
        ),
        (
            "sp-llama", #"{"type":"Replace","pattern":{"String":"▁"},"content":" "}"#,
            #"{"type":"Replace","pattern":{"Regex":"▁"},"content":" "}"#,
            "the decoder 'Replace' of a regular expression is not supported"
        ),
        (
            "sp-llama", #""unk_token":"<unk>""#, #""unk_token":"<none>""#, "the token '<none>' is missing"
        ),
        (
            "roberta", #""type":"RobertaProcessing","sep":["</s>",2]"#,
            #""type":"RobertaProcessing","sep":["</s>",9000]"#, "expected an id from 0 to "
        ),
    ])
    func badSentencePieceJSON(_ name: String, _ old: String, _ new: String, _ reason: String) throws {
        let text = try failure(.bytePair, of: name, ["tokenizer.json"]) {
            try replacing(old, by: new, in: "tokenizer.json", $0)
        }
        #expect(text.contains(reason), "\(text)")
    }

    @Test func duplicateMerge() throws {
        let text = try bytePair {
            let json = try $0.read("tokenizer.json")
            let start = try #require(json.range(of: #""merges":["#)?.upperBound)
            let end = try #require(json.range(of: "]", range: start..<json.endIndex)?.upperBound)
            try $0.write(
                json.replacingCharacters(in: start..<start, with: json[start..<end] + ","),
                to: "tokenizer.json")
        }
        #expect(text.hasSuffix("merges 0 and 1 are the same"), "\(text)")
    }

    @Test func templateWithIDOutsideTheVocabulary() throws {
        let text = try failure(.bytePair, of: "bpe-llama3", ["tokenizer.json"]) {
            try replacing(#""ids":[0]"#, by: #""ids":[900]"#, in: "tokenizer.json", $0)
        }
        #expect(text.contains("ids[0]: expected an id from 0 to "), "\(text)")
    }

    @Test(arguments: [
        (
            #""id":"A","type_id":0"#, #""id":"A","type_id":-1"#,
            "post_processor.single[1].Sequence.type_id: expected a type of at least 0, got -1"
        ),
        (
            #""id":"[CLS]","type_id":0"#, #""id":"[CLS]","type_id":-7"#,
            "post_processor.single[0].SpecialToken.type_id: expected a type of at least 0, got -7"
        ),
        (
            #""id":"B","type_id":1"#, #""id":"A","type_id":1"#,
            "post_processor.pair[3].Sequence.id: expected every text once, got 'A'"
        ),
    ])
    func badTemplate(old: String, new: String, reason: String) throws {
        let text = try failure(.wordPiece, of: "wordpiece-json", ["tokenizer.json"]) {
            try replacing(old, by: new, in: "tokenizer.json", $0)
        }
        #expect(text.hasSuffix(reason), "\(text)")
    }

    @Test func wordPieceFromAnotherModelsFile() throws {
        let text = try failure(.wordPiece, of: "bpe-gpt2", ["tokenizer.json"]) { _ in }
        #expect(text.contains("model.type: expected WordPiece, got 'BPE'"))
    }
}
