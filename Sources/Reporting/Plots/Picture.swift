/// An SVG picture under construction: transparent, no scripts, no fonts of its own; the same calls give the
/// same bytes.
///
/// Coordinates are pixels from the upper left corner, written with at most one digit after the point.
struct Picture {
    /// Where a text stands to its x.
    enum Anchor: String {
        case start, middle, end
    }

    let width: Double
    let height: Double
    private let title: String
    private var elements: [String] = []

    /// Pixels of a line of text of size 12, per character: sans-serif digits and letters on the average,
    /// rounded up.
    static let characterWidth = 6.8

    /// An empty picture; `title` is what a screen reader says.
    init(width: Double, height: Double, title: String) {
        self.width = width
        self.height = height
        self.title = title
    }

    mutating func text(
        _ text: String, x: Double, y: Double, anchor: Anchor = .start, size: Double = 12,
        isBold: Bool = false,
        colour: String = Palette.ink
    ) {
        let weight = isBold ? " font-weight=\"bold\"" : ""
        elements.append(
            "<text x=\"\(number(x))\" y=\"\(number(y))\" font-size=\"\(number(size))\"\(weight) "
                + "text-anchor=\"\(anchor.rawValue)\" fill=\"\(colour)\">\(text.markupEscaped)</text>")
    }

    /// A text that reads upwards.
    mutating func verticalText(_ text: String, x: Double, y: Double) {
        elements.append(
            "<text transform=\"translate(\(number(x)) \(number(y))) rotate(-90)\" font-size=\"12\" "
                + "text-anchor=\"middle\" fill=\"\(Palette.ink)\">\(text.markupEscaped)</text>")
    }

    /// A rectangle; what a pointer over it shows is `note`.
    mutating func rectangle(
        x: Double, y: Double, width: Double, height: Double, fill: String, note: String? = nil
    ) {
        let shape =
            "<rect x=\"\(number(x))\" y=\"\(number(y))\" width=\"\(number(width))\" height=\"\(number(height))\" "
            + "fill=\"\(fill)\""
        elements.append(shape + (note.map { "><title>\($0.markupEscaped)</title></rect>" } ?? "/>"))
    }

    mutating func line(
        _ points: [(x: Double, y: Double)], colour: String, width: Double, opacity: Double = 1,
        dash: String? = nil
    ) {
        let list = points.map { "\(number($0.x)),\(number($0.y))" }.joined(separator: " ")
        let dashes =
            (dash.map { " stroke-dasharray=\"\($0)\"" } ?? "")
            + (opacity < 1 ? " stroke-opacity=\"\(number(opacity))\"" : "")
        elements.append(
            "<polyline points=\"\(list)\" fill=\"none\" stroke=\"\(colour)\" stroke-width=\"\(number(width))\"\(dashes)/>"
        )
    }

    /// A closed outline, filled or hollow.
    mutating func polygon(
        _ points: [(x: Double, y: Double)], colour: String, isFilled: Bool, note: String? = nil
    ) {
        let list = points.map { "\(number($0.x)),\(number($0.y))" }.joined(separator: " ")
        let shape =
            "<polygon points=\"\(list)\" fill=\"\(isFilled ? colour : "none")\" stroke=\"\(colour)\" stroke-width=\"2\""
        elements.append(shape + (note.map { "><title>\($0.markupEscaped)</title></polygon>" } ?? "/>"))
    }

    /// The picture's text, a line feed at the end of every line.
    var svg: String {
        let size = "width=\"\(number(width))\" height=\"\(number(height))\""
        let box = "viewBox=\"0 0 \(number(width)) \(number(height))\""
        let head =
            "<svg xmlns=\"http://www.w3.org/2000/svg\" \(size) \(box) font-family=\"sans-serif\" role=\"img\" "
            + "aria-label=\"\(title.markupEscaped)\">"
        return ([head, "<title>\(title.markupEscaped)</title>"] + elements + ["</svg>"]).joined(
            separator: "\n")
            + "\n"
    }

    private func number(_ value: Double) -> String {
        let text = fixed(value, 1)
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }
}
