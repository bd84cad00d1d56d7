/// A number with so many digits after the point, half away from zero; the same text on every machine.
package func fixed(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = (abs(value) * scale).rounded()
    let whole = (scaled / scale).rounded(.down)
    let rest = Int(scaled - whole * scale)
    let fraction = String(rest)
    let text =
        String(Int(whole))
        + (digits > 0 ? "." + String(repeating: "0", count: digits - fraction.count) + fraction : "")
    return value < 0 && scaled > 0 ? "-" + text : text
}

/// A number with about so many significant digits: small ones keep theirs.
package func significant(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite, value != 0 else { return fixed(value, 0) }
    var magnitude = abs(value)
    var places = digits - 1
    while magnitude >= 10, places > 0 {
        magnitude /= 10
        places -= 1
    }
    while magnitude < 1, places < 12 {
        magnitude *= 10
        places += 1
    }
    return fixed(value, places)
}

/// A whole number with commas between thousands.
package func grouped(_ value: Int) -> String {
    var digits = String(abs(value))
    var groups: [String] = []
    while digits.count > 3 {
        groups.insert(String(digits.suffix(3)), at: 0)
        digits.removeLast(3)
    }
    return (value < 0 ? "-" : "") + ([digits] + groups).joined(separator: ",")
}

/// A metric's value with the digits that are worth reading: two for scores of 0 to 100 and perplexity, four
/// for shares and correlations.
package func metricText(_ value: Double, of name: String) -> String {
    let lower = name.lowercased()
    let isCoarse = ["bleu", "chrf", "perplexity"].contains { lower.hasPrefix($0) }
    return fixed(value, isCoarse ? 2 : 4)
}

/// KL in nats, four significant digits.
package func klText(_ value: Double) -> String { significant(value, 4) }
