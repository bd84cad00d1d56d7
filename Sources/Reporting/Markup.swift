extension String {
    /// This text inside an element or a quoted attribute of XML and HTML: what would be markup is escaped,
    /// and control characters, which neither allows, become U+FFFD.
    ///
    /// It goes by scalars: a combining accent behind `<` does not hide it.
    /// - Source: XML 1.0, section 2.2 and 2.4.
    var markupEscaped: String {
        var result = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "\t", "\n", "\r": result.unicodeScalars.append(scalar)
            case _ where scalar.value < 0x20 || scalar.value & 0xfffe == 0xfffe:
                result.unicodeScalars.append("\u{fffd}")
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
