extension Scheme {
    /// Reads a list of schemes: text forms separated by commas, `name1..4` standing for a run of bits; nil
    /// where one is none.
    public static func list(_ text: String) -> [Scheme]? {
        var schemes: [Scheme] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let run = run(String(part)) else { return nil }
            for scheme in run where !schemes.contains(scheme) { schemes.append(scheme) }
        }
        return schemes
    }

    /// `bcq1..4:g64` is bcq1:g64, bcq2:g64, bcq3:g64, bcq4:g64.
    private static func run(_ text: String) -> [Scheme]? {
        let characters = Array(text)
        guard
            let dots = characters.indices.dropFirst().first(where: { characters[$0...].starts(with: "..") }),
            dots + 2 < characters.count, let first = characters[dots - 1].wholeNumberValue,
            let last = characters[dots + 2].wholeNumberValue, first <= last
        else { return Scheme(text).map { [$0] } }
        let schemes = (first...last).compactMap { bits in
            Scheme(String(characters[..<(dots - 1)]) + "\(bits)" + String(characters[(dots + 3)...]))
        }
        return schemes.count == last - first + 1 ? schemes : nil
    }
}
