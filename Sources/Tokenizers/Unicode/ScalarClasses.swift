// Character classes as the reference implementation has them.
//
// Hugging Face's tokenizers (Rust) classifies characters by tables of different ages: Unicode 8 for BERT's
// control characters, punctuation and accents, Unicode 16 for the `\p{L}` and `\p{N}` of its regular
// expressions. Swift's tables are newer, and differ between platforms; a scalar's properties hardly ever
// change once it is assigned, so comparing its age gives the same answer everywhere. The few that did change
// are named below. A golden holds every assigned scalar against the reference.

extension Unicode.Scalar {
    /// Whether this scalar was assigned in that version of Unicode or before.
    func isAssigned(in major: Int, _ minor: Int = 0) -> Bool {
        guard let age = properties.age else { return false }
        return (age.major, age.minor) <= (major, minor)
    }

    /// `\p{L}`.
    var isLetter: Bool {
        if isASCII { return ("a"..."z").contains(self) || ("A"..."Z").contains(self) }
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
            return isAssigned(in: 16)
        default: return false
        }
    }

    /// `\p{N}`.
    var isNumber: Bool { isNumeric && (isASCII || isAssigned(in: 16)) }

    /// Rust's `char::is_numeric`, which the Digits step uses.
    var isNumeric: Bool {
        if isASCII { return ("0"..."9").contains(self) }
        switch properties.generalCategory {
        case .decimalNumber, .letterNumber, .otherNumber: return true
        default: return false
        }
    }

    /// `\s`: the White_Space property.
    var isSpace: Bool { isASCII ? self == " " || (0x09...0x0D).contains(value) : properties.isWhitespace }

    /// What BERT's cleaning takes away: NUL, U+FFFD, and controls other than tab and line ends.
    var isBertControl: Bool {
        switch value {
        case 0x09, 0x0A, 0x0D: return false
        case 0x20..<0x7F: return false
        case 0xFFFD: return true
        default: break
        }
        switch properties.generalCategory {
        case .control, .format, .privateUse: return isAssigned(in: 8)
        default: return false
        }
    }

    /// What BERT splits off as a token of its own: all ASCII symbols, and Unicode's punctuation.
    var isBertPunctuation: Bool {
        if isASCII {
            switch value {
            case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: return true
            default: return false
            }
        }
        // Recategorized after Unicode 8.
        if value == 0x166D || value == 0x111C9 { return true }
        switch properties.generalCategory {
        case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
            .initialPunctuation,
            .finalPunctuation, .otherPunctuation:
            return isAssigned(in: 8)
        default: return false
        }
    }

    /// What BERT's accent stripping takes away after decomposition.
    var isAccent: Bool {
        guard value >= 0x300 else { return false }
        switch value {
        // Recategorized after Unicode 8.
        case 0x1734, 0x1171E: return true
        case 0x1885, 0x1886, 0xA9BD, 0x111C9: return false
        default: return properties.generalCategory == .nonspacingMark && isAssigned(in: 8)
        }
    }

    /// What BERT surrounds with spaces: the CJK ideograph blocks of the original implementation, and no other
    /// script.
    var isBertIdeograph: Bool {
        switch value {
        case 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFAFF, 0x20000...0x2A6DF, 0x2A700...0x2B73F,
            0x2B740...0x2B81F, 0x2B920...0x2CEAF, 0x2F800...0x2FA1F:
            return true
        default: return false
        }
    }

    /// `\w` of the regular expressions that look for word borders beside added tokens.
    var isWordCharacter: Bool {
        switch properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation:
            return isAssigned(in: 16)
        default: return (properties.isAlphabetic || properties.isJoinControl) && isAssigned(in: 16)
        }
    }
}
