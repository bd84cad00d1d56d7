/// The colours of all plots.
///
/// GitHub shows a picture of a report on white or on nearly black, as the reader's settings say, and the
/// picture cannot know which: so the pictures are transparent, and every colour that stands on the page
/// itself has enough contrast to both (`onPage`). Text inside coloured fields is black or white, whichever
/// reads better (`ink(on:)`).
package enum Palette {
    /// Text and axes: the grey halfway between both pages.
    package static let ink = "#797979"
    /// The frontier.
    package static let frontier = "#2f7fd1"
    /// Uniform plans.
    package static let uniform = "#a0692b"
    /// Presets.
    package static let preset = "#8a63d2"
    /// The chosen plan.
    package static let chosen = "#d63a5e"
    /// The knee, and optima at sizes that were asked for.
    package static let marked = "#2b8a57"
    /// Plans that were measured beside the chosen one.
    package static let measured = "#797979"

    /// Colours that stand on the page itself.
    package static let onPage = [ink, frontier, uniform, preset, chosen, marked, measured]

    /// Anchors of the scale from little to much: dark violet, blue, green, yellow (perceptually even, and
    /// safe for the colour-blind).
    ///
    /// - Source: viridis, Smith and van der Walt 2015.
    private static let anchors: [(Double, Double, Double)] = [
        (68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37),
    ]

    /// The colour of a share of the scale, 0 to 1.
    package static func scale(_ share: Double) -> String {
        let place = min(max(share, 0), 1) * Double(anchors.count - 1)
        let index = min(Int(place), anchors.count - 2)
        let rest = place - Double(index)
        let (low, high) = (anchors[index], anchors[index + 1])
        func mixed(_ from: Double, _ to: Double) -> Int { Int((from + (to - from) * rest).rounded()) }
        return hexadecimal(mixed(low.0, high.0), mixed(low.1, high.1), mixed(low.2, high.2))
    }

    /// The colour of a bar by its share of the tallest: the middle of the scale, which stands out from both
    /// pages.
    static func bits(_ share: Double) -> String { scale(0.25 + 0.4 * min(max(share, 0), 1)) }

    /// Black or white, whichever reads better on a field of this colour.
    package static func ink(on colour: String) -> String {
        contrast("#000000", colour) >= contrast("#ffffff", colour) ? "#000000" : "#ffffff"
    }

    /// The contrast of two colours, 1 to 21.
    ///
    /// - Source: WCAG 2.2, "contrast ratio".
    package static func contrast(_ one: String, _ other: String) -> Double {
        let (a, b) = (luminance(one), luminance(other))
        return (max(a, b) + 0.05) / (min(a, b) + 0.05)
    }

    /// Relative luminance of `#rrggbb`, 0 to 1; black where the text is no such colour.
    private static func luminance(_ colour: String) -> Double {
        let parts = Array(colour.dropFirst().prefix(6))
        guard parts.count == 6 else { return 0 }
        let channels = [0, 2, 4].map { start -> Double in
            let value = Double(Int(String(parts[start...(start + 1)]), radix: 16) ?? 0) / 255
            return value <= 0.03928 ? value / 12.92 : power((value + 0.055) / 1.055)
        }
        return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]
    }

    /// The value to the power of 2.4, which is its square times the fifth root of its square.
    private static func power(_ value: Double) -> Double {
        let square = value * value
        var root = 1.0
        // Newton's method; the root lies in (0, 1] and the start above it, so every step goes down.
        for _ in 0..<60 {
            root -= (root * root * root * root * root - square) / (5 * root * root * root * root)
        }
        return square * root
    }

    private static func hexadecimal(_ red: Int, _ green: Int, _ blue: Int) -> String {
        "#" + [red, green, blue].map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
