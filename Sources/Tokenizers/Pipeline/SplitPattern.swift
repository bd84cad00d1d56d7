/// The regular expressions by which published byte-level tokenizers cut text, each as a scanner.
///
/// Every expression is an ordered choice whose first match counts, and every place of a text matches one of
/// its choices, so the matches tile the text. A scanner says the same as the expression; the goldens and
/// random strings run through the reference's regular expression engine hold them together.
enum SplitPattern: Sendable {
    /// GPT-2's, which `ByteLevel` uses.
    case gpt2
    /// Llama 3's, with numbers cut into runs of three digits; Qwen 2's is the same with single digits.
    case llama3(digits: Int)

    private static let gpt2Text =
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

    private static func llama3Text(numbers: String) -> String {
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"# + numbers
            + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    }

    /// The scanner for a regular expression; one that is not known is refused with its text.
    init(_ text: String, file: String) throws(TokenizerError) {
        switch text {
        case Self.gpt2Text: self = .gpt2
        case Self.llama3Text(numbers: #"\p{N}{1,3}"#): self = .llama3(digits: 3)
        case Self.llama3Text(numbers: #"\p{N}"#): self = .llama3(digits: 1)
        default: throw .unsupported(file: file, what: "the split pattern '\(text)'")
        }
    }

    /// Where the match that starts at `start` ends; always behind it.
    func matchEnd(in text: ArraySlice<Unicode.Scalar>, at start: Int) -> Int {
        switch self {
        case .gpt2: Scanner(text: text, start: start).gpt2
        case .llama3(let digits): Scanner(text: text, start: start).llama3(digits: digits)
        }
    }
}

/// The choices of the expressions at one place of a text; each is nil where it does not match.
private struct Scanner {
    let text: ArraySlice<Unicode.Scalar>
    let start: Int

    /// The end of the run from `position` on whose scalars all satisfy `condition`.
    private func run(from position: Int, _ condition: (Unicode.Scalar) -> Bool) -> Int {
        text[position...].firstIndex { !condition($0) } ?? text.endIndex
    }

    private func nonEmptyRun(from position: Int, _ condition: (Unicode.Scalar) -> Bool) -> Int? {
        let end = run(from: position, condition)
        return end > position ? end : nil
    }

    private static func isSymbol(_ scalar: Unicode.Scalar) -> Bool {
        !scalar.isSpace && !scalar.isLetter && !scalar.isNumber
    }

    private static func isLineEnd(_ scalar: Unicode.Scalar) -> Bool { scalar == "\r" || scalar == "\n" }

    /// ` ?` and a run.
    private func optionalSpace(_ condition: (Unicode.Scalar) -> Bool) -> Int? {
        nonEmptyRun(from: text[start] == " " ? start + 1 : start, condition)
    }

    /// `'s|'t|'re|'ve|'m|'ll|'d`.
    private func contraction(ignoringCase: Bool) -> Int? {
        guard text[start] == "'", start + 1 < text.endIndex else { return nil }
        func letter(_ offset: Int) -> Unicode.Scalar? {
            guard start + offset < text.endIndex else { return nil }
            let scalar = text[start + offset]
            guard ignoringCase else { return scalar }
            // The long s is the only other scalar that folds to one of these letters.
            return scalar == "\u{17F}" ? "s" : scalar.isASCII ? scalar.lowercased[0] : scalar
        }
        switch letter(1) {
        case "s", "t", "m", "d": return start + 2
        case "r", "v": return letter(2) == "e" ? start + 3 : nil
        case "l": return letter(2) == "l" ? start + 3 : nil
        default: return nil
        }
    }

    /// `\s+(?!\S)|\s+`: whitespace, without its last scalar where something else follows.
    private var whitespace: Int {
        let end = run(from: start, \.isSpace)
        return end < text.endIndex && end - start > 1 ? end - 1 : end
    }

    var gpt2: Int {
        contraction(ignoringCase: false)
            ?? optionalSpace(\.isLetter)
            ?? optionalSpace(\.isNumber)
            ?? optionalSpace(Self.isSymbol)
            ?? whitespace
    }

    func llama3(digits: Int) -> Int {
        contraction(ignoringCase: true)
            ?? lettersBehindOneOther
            ?? numbers(atMost: digits)
            ?? optionalSpace(Self.isSymbol).map { run(from: $0, Self.isLineEnd) }
            ?? lineEnds
            ?? whitespace
    }

    /// `[^\r\n\p{L}\p{N}]?\p{L}+`.
    private var lettersBehindOneOther: Int? {
        let first = text[start]
        let isOther = !Self.isLineEnd(first) && !first.isLetter && !first.isNumber
        return nonEmptyRun(from: isOther ? start + 1 : start, \.isLetter)
    }

    private func numbers(atMost count: Int) -> Int? {
        nonEmptyRun(from: start, \.isNumber).map { min($0, start + count) }
    }

    /// `\s*[\r\n]+`: whitespace up to the last line end in it.
    private var lineEnds: Int? {
        text[start..<run(from: start, \.isSpace)].lastIndex(where: Self.isLineEnd).map { $0 + 1 }
    }
}
