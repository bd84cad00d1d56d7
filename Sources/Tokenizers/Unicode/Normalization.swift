import Foundation

/// Unicode's normalization forms by the tables of Unicode 9, which the reference implementation uses.
///
/// Characters assigned later pass through unchanged there: they neither decompose nor compose, and marks do
/// not move across them. For older ones normalization never changes (Unicode's stability policy), so the
/// platform's tables serve, whatever their version. Only the mapping of single characters and the composition
/// of ordered text are left to it: its own whole-string forms do not order the parts of characters such as
/// U+0F73 and U+FF9E.
enum NormalizationForm: String {
    case nfc = "NFC"
    case nfd = "NFD"
    case nfkc = "NFKC"
    case nfkd = "NFKD"

    /// - Complexity: linear for text with runs of marks of bounded length.
    func normalize(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        if text.allSatisfy(Self.isPlain) { return text }
        var decomposed: [Unicode.Scalar] = []
        decomposed.reserveCapacity(text.count)
        for scalar in text {
            if Self.isPlain(scalar) || Self.isYoung(scalar) {
                decomposed.append(scalar)
            } else {
                decomposed += mapping(of: scalar)
            }
        }
        Self.order(&decomposed)
        return self == .nfc || self == .nfkc ? Self.composed(decomposed) : decomposed
    }

    /// ASCII and the ideographs without a decomposition: what never changes and never joins what is before
    /// it.
    private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII || (0x3400...0x9FD5).contains(scalar.value)
    }

    private static func isYoung(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value >= 0x300 && !scalar.isAssigned(in: 9)
    }

    private func mapping(of scalar: Unicode.Scalar) -> String.UnicodeScalarView {
        let text = String(Character(scalar))
        return switch self {
        case .nfc, .nfd: text.decomposedStringWithCanonicalMapping.unicodeScalars
        case .nfkc, .nfkd: text.decomposedStringWithCompatibilityMapping.unicodeScalars
        }
    }

    /// Sorts every run of marks by combining class, equal ones as they were.
    private static func order(_ text: inout [Unicode.Scalar]) {
        func combiningClass(_ scalar: Unicode.Scalar) -> UInt8 {
            isPlain(scalar) || isYoung(scalar) ? 0 : scalar.properties.canonicalCombiningClass.rawValue
        }
        var start = 0
        while start < text.count {
            var marks: [(combiningClass: UInt8, scalar: Unicode.Scalar)] = []
            while start + marks.count < text.count {
                let scalar = text[start + marks.count]
                let next = combiningClass(scalar)
                if next == 0 { break }
                marks.append((next, scalar))
            }
            if marks.count > 1 {
                // The standard library's sort is stable, though it does not promise it: the offset decides
                // between equals.
                let sorted = marks.enumerated().sorted {
                    ($0.element.combiningClass, $0.offset) < ($1.element.combiningClass, $1.offset)
                }
                for (offset, mark) in sorted.enumerated() { text[start + offset] = mark.element.scalar }
            }
            start += marks.count + 1
        }
    }

    /// Ordered, decomposed text with all its compositions.
    private static func composed(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        var result: [Unicode.Scalar] = []
        result.reserveCapacity(text.count)
        func append(_ stretch: ArraySlice<Unicode.Scalar>) {
            if stretch.count < 2 {
                result += stretch
            } else {
                var view = String.UnicodeScalarView()
                view.append(contentsOf: stretch)
                result += String(view).precomposedStringWithCanonicalMapping.unicodeScalars
            }
        }
        // The platform takes more than linear time for long stretches: cut where nothing can compose.
        var start = 0
        for position in text.indices where !mayJoinWhatIsBefore(text[position]) {
            append(text[start..<position])
            start = position
            if isYoung(text[position]) {
                result.append(text[position])
                start += 1
            }
        }
        append(text[start...])
        return result
    }

    /// Marks, and the vowels and finals of Hangul. Every other character starts a composition of its own.
    private static func mayJoinWhatIsBefore(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.value < 0x300 || isYoung(scalar) { return false }
        if (0x1160...0x11FF).contains(scalar.value) { return true }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark: return true
        default: return false
        }
    }
}
