import Foundation

/// Unicode's normalization forms by the tables of Unicode 9, which the reference implementation uses.
///
/// Characters assigned later pass through unchanged there: they neither decompose nor compose, and marks do not move across them.
/// For older ones normalization never changes (Unicode's stability policy), so what lies between younger characters can be left
/// to the platform, whatever its version.
enum NormalizationForm: String {
    case nfc = "NFC"
    case nfd = "NFD"
    case nfkc = "NFKC"
    case nfkd = "NFKD"

    func normalize(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        var result: [Unicode.Scalar] = []
        result.reserveCapacity(text.count)
        // The platform takes more than linear time for a long stretch without ASCII, and much for a short one that nothing
        // happens to; so it gets stretches of moderate length, and none that is plain.
        var start = 0
        for position in text.indices {
            let scalar = text[position]
            let isPlain = scalar.isASCII || Self.isIdeograph(scalar)
            let isYoung = !isPlain && scalar.value >= 0x300 && !scalar.isAssigned(in: 9)
            guard isPlain || isYoung || position - start >= 64 && !Self.mayJoinWhatIsBefore(scalar) else {
                continue
            }
            append(text[start..<position], to: &result)
            if isYoung { result.append(scalar) }
            start = isYoung ? position + 1 : position
        }
        append(text[start...], to: &result)
        return result
    }

    /// Marks, the vowels and finals of Hangul, and their halfwidth forms: all that composes with or moves before its
    /// predecessor.
    private static func mayJoinWhatIsBefore(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x1160...0x11FF, 0xFF9E...0xFFDC: return true
        default: break
        }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark: return true
        default: return false
        }
    }

    /// Ideographs without a decomposition; neither they nor ASCII join what is before them.
    private static func isIdeograph(_ scalar: Unicode.Scalar) -> Bool {
        (0x3400...0x9FD5).contains(scalar.value)
    }

    private func append(_ stretch: ArraySlice<Unicode.Scalar>, to result: inout [Unicode.Scalar]) {
        if stretch.count == 1, let scalar = stretch.first, scalar.isASCII || Self.isIdeograph(scalar) {
            result.append(scalar)
        } else if !stretch.isEmpty {
            var view = String.UnicodeScalarView()
            view.append(contentsOf: stretch)
            result += normalized(String(view)).unicodeScalars
        }
    }

    private func normalized(_ text: String) -> String {
        switch self {
        case .nfc: text.precomposedStringWithCanonicalMapping
        case .nfd: text.decomposedStringWithCanonicalMapping
        case .nfkc: text.precomposedStringWithCompatibilityMapping
        case .nfkd: text.decomposedStringWithCompatibilityMapping
        }
    }
}
