/// The tokenizer "13a" of BLEU: NIST's mteval-v13a.pl as sacreBLEU does it, identical on all of Unicode.
///
/// Works on scalars, since Python's strings are sequences of code points: no normalization, no grapheme
/// clusters. Digits and punctuation mean ASCII; whatever else Unicode calls punctuation stays in its word.
///
/// - Source: sacreBLEU 2.6.0, `tokenizer_13a` and `tokenizer_re`.
package enum Tokenizer13a {
    /// The tokens of one sentence, trailing whitespace stripped first as BLEU does.
    ///
    /// - Complexity: O(length).
    package static func words(in text: String) -> [ArraySlice<Unicode.Scalar>] {
        var line = Array(text.unicodeScalars)
        let end = line.lastIndex { !$0.isPythonWhitespace }.map { $0 + 1 } ?? 0
        line.removeSubrange(end...)

        replace("<skipped>", with: "", in: &line)
        replace("-\n", with: "", in: &line)
        replace("\n", with: " ", in: &line)
        // The order matters: `&amp;lt;` becomes `<`, but `&amp;quot;` becomes `&quot;`.
        replace("&quot;", with: "\"", in: &line)
        replace("&amp;", with: "&", in: &line)
        replace("&lt;", with: "<", in: &line)
        replace("&gt;", with: ">", in: &line)

        line = separatingPunctuation([" "] + line + [" "])
        line = rewritingPairs(line, where: { !isDigit($0) && isPeriodOrComma($1) }) { [$0, " ", $1, " "] }
        line = rewritingPairs(line, where: { isPeriodOrComma($0) && !isDigit($1) }) { [" ", $0, " ", $1] }
        line = rewritingPairs(line, where: { isDigit($0) && $1 == "-" }) { [$0, " ", $1, " "] }
        return line.split(whereSeparator: \.isPythonWhitespace)
    }

    /// `str.replace`: non-overlapping, from the left.
    private static func replace(
        _ pattern: String, with replacement: String, in line: inout [Unicode.Scalar]
    ) {
        let pattern = Array(pattern.unicodeScalars)
        guard line.count >= pattern.count, line.contains(pattern[0]) else { return }
        var result: [Unicode.Scalar] = []
        result.reserveCapacity(line.count)
        var index = 0
        while index < line.count {
            if line[index] == pattern[0], line[index...].starts(with: pattern) {
                result.append(contentsOf: replacement.unicodeScalars)
                index += pattern.count
            } else {
                result.append(line[index])
                index += 1
            }
        }
        line = result
    }

    /// `re.sub(r'([\{-\~\[-\` -\&\(-\+\:-\@\/])', r' \1 ')`: ASCII punctuation but for apostrophe, comma,
    /// hyphen, period.
    private static func separatingPunctuation(_ line: [Unicode.Scalar]) -> [Unicode.Scalar] {
        var result: [Unicode.Scalar] = []
        result.reserveCapacity(line.count * 3 / 2)
        for scalar in line {
            switch scalar {
            case "{"..."~", "["..."`", " "..."&", "("..."+", ":"..."@", "/":
                result.append(" ")
                result.append(scalar)
                result.append(" ")
            default:
                result.append(scalar)
            }
        }
        return result
    }

    /// `re.sub` of a pattern that matches two scalars: from the left, a match consumes both.
    private static func rewritingPairs(
        _ line: [Unicode.Scalar], where matches: (Unicode.Scalar, Unicode.Scalar) -> Bool,
        rewritten: (Unicode.Scalar, Unicode.Scalar) -> [Unicode.Scalar]
    ) -> [Unicode.Scalar] {
        var result: [Unicode.Scalar] = []
        result.reserveCapacity(line.count * 5 / 4)
        var index = 0
        while index < line.count {
            if index + 1 < line.count, matches(line[index], line[index + 1]) {
                result.append(contentsOf: rewritten(line[index], line[index + 1]))
                index += 2
            } else {
                result.append(line[index])
                index += 1
            }
        }
        return result
    }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool {
        scalar >= "0" && scalar <= "9"
    }

    private static func isPeriodOrComma(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "." || scalar == ","
    }
}
