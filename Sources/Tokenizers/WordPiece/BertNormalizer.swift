/// BERT's text cleaning.
///
/// In this order: controls away and every whitespace a space; spaces around ideographs; accents away
/// (decomposition, then no nonspacing marks); lower case, scalar by scalar.
///
/// - Source: Devlin et al. 2019, as Hugging Face's tokenizers does it.
struct BertNormalizer: Sendable {
    var cleansText = true
    var spacesIdeographs = true
    /// nil: as `lowercases`.
    var stripsAccents: Bool?
    var lowercases = true

    init() {}

    /// Reads a `BertNormalizer` of tokenizer.json.
    init(_ field: JSONField) throws(TokenizerError) {
        cleansText = try field.bool("clean_text", default: true)
        spacesIdeographs = try field.bool("handle_chinese_chars", default: true)
        stripsAccents = try field.optional("strip_accents")?.bool()
        lowercases = try field.bool("lowercase", default: true)
    }

    func normalize(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        var result: [Unicode.Scalar] = []
        result.reserveCapacity(text.count)
        for scalar in text {
            if cleansText {
                if scalar.isBertControl { continue }
                if scalar.isSpace {
                    result.append(" ")
                    continue
                }
            }
            if spacesIdeographs, scalar.isBertIdeograph {
                result += [" ", scalar, " "]
            } else {
                result.append(scalar)
            }
        }
        if stripsAccents ?? lowercases {
            result = NormalizationForm.nfd.normalize(result)
            result.removeAll(where: \.isAccent)
        }
        return lowercases ? result.flatMap(\.lowercased) : result
    }
}
